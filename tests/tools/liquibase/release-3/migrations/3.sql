--liquibase formatted sql

--changeset shop:late
@late@;

class IndexCustomers < ActiveRecord::Migration[6.1]
  disable_ddl_transaction!

  def change
    algorithm = connection.adapter_name == "PostgreSQL" ? :concurrently : nil
    add_index :customers, :name, name: "customers_name", algorithm: algorithm
  end
end

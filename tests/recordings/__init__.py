"""Recordings of real runs, as pictures that move: `make recordings` makes docs/recordings.

What is typed, and on what, is in scenes.py; shell.py is the terminal; draw.py makes the pictures.
"""

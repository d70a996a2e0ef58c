class Late < ActiveRecord::Migration[6.1]
  def up
    execute "@late@"
  end

  def down
    drop_table :late
  end
end

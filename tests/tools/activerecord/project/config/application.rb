require "logger" # which Rails 6.1 forgets
require "rails"
require "active_record/railtie"

module Shop
  class Application < Rails::Application
    config.load_defaults 6.1
    config.eager_load = false
    config.secret_key_base = "of a test"
    config.logger = Logger.new($stderr)
    config.log_level = :warn
    # Rails 7 reads this by itself.
    config.active_record.schema_format = ENV.fetch("SCHEMA_FORMAT", "ruby").to_sym
  end
end

"""What a handler's context is made of besides the stores: models, limits, hours; it knows no command."""

"""Settings of subsystems, by workspace: a class for each subsystem, whose JSON Schema is the form that changes it."""

let hostVersion = "0.1.0"

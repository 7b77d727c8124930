"""The built-in studies: declarations only, one YAML file each, in the layout of a user's own."""

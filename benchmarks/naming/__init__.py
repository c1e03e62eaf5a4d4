"""The name test in parts: what acts are, other names for them, small logs, and the judges of findings and sentences."""

"""Forensic investigation of Azure Managed HSM audit logs."""

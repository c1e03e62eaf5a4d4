-- Object ids of whoever goes by a label, a user name, an id or the resource id of a managed identity.
SELECT DISTINCT object_id
FROM events
WHERE object_id = lower(:who) OR (object_id IS NOT NULL AND :who IN (principal, upn, managed_identity_id))
ORDER BY object_id

-- Object ids of whoever goes by a label, a user name, an id or the resource id of a managed identity.
SELECT DISTINCT object_id
FROM events
WHERE object_id = lower(:who) OR (object_id IS NOT NULL AND (principal = :who OR upn = :who OR managed_identity_id = :who))
ORDER BY object_id

-- What each actor goes by, one row for each way: labels, user names, and ids that other logs know it by.
SELECT DISTINCT actor, principal, principal_type, upn, app_id, managed_identity_id
FROM events
WHERE actor IS NOT NULL
ORDER BY actor, principal NULLS FIRST, principal_type NULLS FIRST, upn NULLS FIRST, app_id NULLS FIRST,
  managed_identity_id NULLS FIRST

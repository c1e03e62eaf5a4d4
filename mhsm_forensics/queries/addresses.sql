-- Every address that a call came from or a token was issued to.
SELECT caller_ip AS address
FROM events
WHERE caller_ip IS NOT NULL
UNION
SELECT token_ip AS address
FROM events
WHERE token_ip IS NOT NULL
ORDER BY address

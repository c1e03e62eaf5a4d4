-- First and last event of each managed HSM, and how many there are.
SELECT hsm, count(*) AS events, min(time) AS first_time, max(time) AS last_time
FROM events
GROUP BY hsm
ORDER BY hsm NULLS LAST

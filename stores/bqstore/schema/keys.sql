SELECT e.key AS key, e.sources AS sources, e.first_event_at AS first_event_at, e.last_event_at AS last_event_at,
  c.kind AS claim_state, c.token AS token, c.created_at AS claim_changed_at, c.lease_ms AS lease_ms
FROM (
  SELECT key, STRING_AGG(DISTINCT source) AS sources, MIN(created_at) AS first_event_at, MAX(created_at) AS last_event_at
  FROM ${events} WHERE kind IN ('kept', 'agreed') AND source NOT LIKE 'base64:!%' AND IFNULL(form, 1) = 1 GROUP BY key
) AS e LEFT JOIN (
  SELECT key, kind, token, created_at, lease_ms FROM ${claims}
  WHERE IFNULL(scope, '') = '' QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY seq DESC) = 1
) AS c ON e.key = c.key

-- What the bench reads, beside the demonstration data: tournaments bench-1 to
-- bench-300000, the first 10,000 of them with 16 registrations each, and
-- bench-cached, which bench/run dates anew at each start. With psql's
-- -v tournaments=N so many in place of 300,000.
--
-- Loaded before install.sql, whose triggers would announce every row.

\set ON_ERROR_STOP on

\if :{?tournaments}
\else
    \set tournaments 300000
\endif

BEGIN;

SELECT setseed(0.5);

INSERT INTO user_profile_userprofile
    (user_id, display_name, is_private, email, phone, facebook, discord,
     created_at)
SELECT 9000000 + n, 'Bench player ' || n, false,
       'player' || n || '@example.org', '', '', '', now()
  FROM generate_series(1, 16) n;

INSERT INTO tournaments_tournament
    (name, slug, game, status, slot_size, reg_open_at, reg_close_at,
     start_at, end_at, entry_fee_bdt, prize_pool_bdt, created_at, updated_at,
     groups_published)
SELECT 'Bench ' || n, 'bench-' || n,
       (ARRAY['valorant', 'efootball', 'pubg', 'mlbb', 'cs2'])[1 + n % 5],
       CASE WHEN n % 10 = 0 THEN 'COMPLETED'
            WHEN n % 10 = 1 THEN 'RUNNING'
            ELSE 'PUBLISHED' END,
       CASE WHEN n % 7 = 0 THEN NULL ELSE 16 << n % 3 END,
       now() - interval '1 day', now() + interval '30 days',
       now() + interval '31 days' + random() * interval '90 days', NULL,
       100 * (n % 4), 1000 * (n % 60), now() - n * interval '1 minute',
       now(), false
  FROM generate_series(1, :tournaments) n;

INSERT INTO tournaments_tournament
    (name, slug, game, status, slot_size, created_at, updated_at,
     groups_published)
VALUES ('Bench', 'bench-cached', 'valorant', 'PUBLISHED', 16, now(), now(),
        false);

INSERT INTO tournaments_tournamentsettings
    (tournament_id, tournament_type, min_team_size, max_team_size,
     created_at, updated_at)
SELECT id, 'SE', 1, 1, now(), now()
  FROM tournaments_tournament
 WHERE slug = 'bench-cached' OR (slug LIKE 'bench-%' AND id % 2 = 0);

INSERT INTO tournaments_registration
    (tournament_id, user_id, payment_method, payment_sender,
     payment_reference, payment_status, status, created_at)
SELECT t.id, p.id, '', '', '', 'verified',
       CASE WHEN p.n % 4 = 0 THEN 'PENDING' ELSE 'CONFIRMED' END, now()
  FROM (SELECT 'bench-cached' AS slug
        UNION ALL
        SELECT 'bench-' || n FROM generate_series(1, 10000) n) wanted
  JOIN tournaments_tournament t USING (slug),
       (SELECT id, user_id - 9000000 AS n FROM user_profile_userprofile
         WHERE user_id BETWEEN 9000001 AND 9000016) p
 ORDER BY p.n, t.id;                    -- a tournament's are not neighbours

COMMIT;

-- The application that the peers stand for owns the tables.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'application') THEN
        CREATE ROLE application LOGIN;
    END IF;
END
$$;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO application;

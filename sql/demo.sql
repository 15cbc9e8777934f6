-- Demonstration data for the tables of schema.sql: tournaments in every
-- state, with users, teams, registrations and requests.  All names are made
-- up, and what must never leave the database begins with "SECRET-".
--
--     psql -X -v ON_ERROR_STOP=1 -f sql/demo.sql
--
--   -v tables_schema=NAME   where the tables are (default: public)
--   -v now=INSTANT          what dates are counted from (default: this minute)
--
-- Nothing here is random: the same "now" gives the same rows.  Running it
-- again puts its own rows back to what they are here, with dates counted from
-- the new "now", and leaves others alone.  It refuses a database where other
-- rows have the ids that it uses: that is no demonstration database.

\set ON_ERROR_STOP on
\if :{?tables_schema}
\else
    \set tables_schema public
\endif
\if :{?now}
\else
    SELECT date_trunc('minute', now()) AS now \gset
\endif

\set QUIET on

BEGIN;

SET LOCAL client_min_messages = warning;
SET LOCAL search_path = :"tables_schema";

SELECT to_regclass('tournaments_schedule') IS NOT NULL AS has_schedule \gset


-- Tournaments.  Dates are intervals from now; confirmed, pending and cancelled
-- are how many registrations of each status there are.

CREATE TEMP TABLE demo (
    id bigint, slug text, name text, game text, status text, slots int,
    opens interval, closes interval, starts interval, ends interval,
    fee numeric, prize numeric, created interval,
    confirmed int, pending int, cancelled int, teams boolean
) ON COMMIT DROP;

INSERT INTO demo VALUES

-- Registration is open
(1, 'valorant-masters', 'Valorant Masters', 'valorant', 'PUBLISHED', 16,
    '-2 days', '5 days', '7 days 3:04:05', '8 days', 100, 50000, '-20 days',
    3, 2, 1, false),
(2, 'valorant-night-cup', 'Valorant Night Cup', 'valorant', 'PUBLISHED', 32,
    '-1 day', '9 days', '10 days', '10 days 6:00', 0, 5000, '-19 days',
    11, 4, 0, false),
(3, 'duelists-ladder', 'Duelists'' Ladder', 'cs2', 'PUBLISHED', NULL,
    '-5 days', '20 days', '21 days', NULL, NULL, NULL, '-18 days',
    7, 0, 2, false),
(4, 'endless-rounds', 'Endless Rounds', 'cs2', 'PUBLISHED', 0,
    '-3 days', '6 days', '6 days 2:00', '7 days', 20.50, 1500.75, '-17 days',
    5, 1, 0, false),
(5, 'last-minute-cup', 'Last Minute Cup', 'efootball', 'PUBLISHED', 8,
    '-6 days', '10 minutes', '1:00', '5:00', 50, 2000, '-16 days',
    6, 1, 0, false),
(6, 'grand-river-open', 'Grand River Open', 'efootball', 'PUBLISHED',
    2147483647, '-4 days', '12 days', '15 days', '20 days',
    99999999.99, 9999999999.99, '-15 days', 2, 0, 0, false),
(7, 'busy-bees', 'Busy Bees', 'mobile_legends', 'PUBLISHED', 40,
    '-7 days', '3 days', '4 days', '5 days', 10, 12345.67, '-14 days',
    26, 4, 2, false),

-- The window is not open yet, or no longer
(8, 'opens-soon', 'Opens Soon', 'valorant', 'PUBLISHED', 16,
    '5 minutes', '2 days', '3 days', '4 days', 100, 20000, '-4 days',
    0, 0, 0, false),
(9, 'winter-warmup', 'Winter Warm-up', 'dota2', 'PUBLISHED', 64,
    '6 days', '12 days', '14 days', '16 days', 0, 750, '-6 days',
    0, 0, 0, false),
(10, 'closed-circuit', 'Closed Circuit', 'dota2', 'PUBLISHED', 8,
    '-12 days', '-1 day', '2 days', '3 days', 250, 10000, '-25 days',
    5, 0, 3, false),
(11, 'closed-and-full', 'Closed and Full', 'cs2', 'PUBLISHED', 4,
    '-9 days', '-2 days', '1 day', '1 day 8:00', 5, 9999.99, '-24 days',
    4, 0, 0, false),

-- Full
(12, 'four-corners', 'Four Corners', 'valorant', 'PUBLISHED', 4,
    '-3 days', '4 days', '5 days', '6 days', 75, 30000, '-13 days',
    4, 2, 0, false),
(13, 'overbooked', 'Overbooked', 'efootball', 'PUBLISHED', 2,
    '-3 days', '4 days', '5 days', '6 days', 0, 0, '-12 days',
    3, 0, 0, false),

-- Ends of the window are missing
(14, 'no-window', 'No Window', 'cs2', 'PUBLISHED', 16,
    NULL, NULL, '8 days', '9 days', 0, 3000, '-11 days', 4, 0, 0, false),
(15, 'no-window-full', 'No Window, Full', 'cs2', 'PUBLISHED', 3,
    NULL, NULL, '8 days', '9 days', 0, 3000, '-10 days', 3, 0, 0, false),
(16, 'no-close', 'No Closing Date', 'dota2', 'PUBLISHED', 16,
    '2 days', NULL, '8 days', NULL, 0, 3000, '-9 days', 1, 0, 0, false),
(17, 'no-open', 'No Opening Date', 'dota2', 'PUBLISHED', 16,
    NULL, '-1 day', '8 days', NULL, 0, 3000, '-8 days', 1, 0, 0, false),
(18, 'no-dates', 'Date To Be Announced', 'mobile_legends', 'PUBLISHED', 12,
    NULL, NULL, NULL, NULL, NULL, 100000, '-7 days', 0, 1, 0, false),

-- Started, not marked as running
(19, 'already-started', 'Already Started', 'valorant', 'PUBLISHED', 16,
    '-10 days', '-1 day', '-2:00', '4:00', 30, 15000, '-30 days',
    14, 0, 1, false),
(20, 'started-no-window', 'Started Without Window', 'cs2', 'PUBLISHED', 16,
    NULL, NULL, '-1 day', '1 day', 0, 500, '-29 days', 9, 0, 0, false),
(21, 'late-entry', 'Late Entry', 'efootball', 'PUBLISHED', 16,
    '-8 days', '1 day', '-3:00', '2 days', 0, 800, '-28 days', 8, 2, 0,
    false),

-- Running
(22, 'city-league', 'City League', 'valorant', 'RUNNING', 16,
    '-30 days', '-20 days', '-18 days', '12 days', 500, 250000, '-60 days',
    16, 0, 2, false),
(23, 'open-door-league', 'Open Door League', 'dota2', 'RUNNING', 32,
    '-10 days', '10 days', '-1 day', '30 days', 0, 40000, '-33 days',
    12, 3, 0, false),
(24, 'running-no-dates', 'Running Without Dates', 'cs2', 'RUNNING', 8,
    NULL, NULL, NULL, NULL, 0, NULL, '-32 days', 2, 0, 0, false),
(25, 'running-no-window', 'Running Without Window', 'cs2', 'RUNNING', NULL,
    NULL, NULL, '-4 days', '3 days', 0, NULL, '-31 days', 6, 0, 0, false),

-- Completed
(26, 'spring-final', 'Spring Final', 'valorant', 'COMPLETED', 16,
    '-50 days', '-40 days', '-38 days', '-36 days', 200, 80000, '-70 days',
    16, 0, 4, false),
(27, 'summer-final', 'Summer Final', 'dota2', 'COMPLETED', 8,
    '-30 days', '-22 days', '-20 days', '-18 days', 150, 60000, '-45 days',
    8, 0, 0, false),
(28, 'quick-cup', 'Quick Cup', 'efootball', 'COMPLETED', 4,
    '-6 days', '-4 days', '-3 days', '-3 days', 0, 999.50, '-7 days',
    4, 0, 0, false),
(29, 'completed-no-dates', 'Completed Without Dates', 'cs2', 'COMPLETED',
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, '-90 days', 0, 0, 0, false),

-- Drafts
(30, 'secret-plans', 'Plans of Next Year', 'valorant', 'DRAFT', 16,
    '30 days', '40 days', '45 days', '46 days', 100, 70000, '-1 day',
    0, 0, 0, false),
(31, 'draft-in-window', 'Draft in its Window', 'dota2', 'DRAFT', 8,
    '-1 day', '10 days', '12 days', NULL, 0, NULL, '-2 days', 2, 0, 0, false),
(32, 'empty-draft', 'Untitled', 'cs2', 'DRAFT', NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, '-3 days', 0, 0, 0, false),

-- Teams
(33, 'five-a-side', 'Five a Side', 'valorant', 'PUBLISHED', 8,
    '-2 days', '6 days', '8 days', '9 days', 1000, 150000, '-5 days 1:00',
    3, 1, 1, true),
(34, 'squads-closed', 'Squads, Closed', 'dota2', 'PUBLISHED', 4,
    '-9 days', '-1 day', '3 days', '4 days', 400, 25000, '-22 days',
    3, 0, 1, true),
(35, 'squads-full', 'Squads, Full', 'cs2', 'PUBLISHED', 2,
    '-5 days', '5 days', '6 days', '7 days', 400, 35000, '-21 days',
    2, 2, 0, true),
(36, 'duos-free', 'Free Duos', 'efootball', 'PUBLISHED', 16,
    '-1 day', '7 days', '9 days', '9 days 5:00', NULL, NULL, '-6 days 2:00',
    4, 0, 0, true),
(37, 'squads-running', 'Squads Under Way', 'valorant', 'RUNNING', 8,
    '-20 days', '-10 days', '-2 days', '5 days', 400, 120000, '-35 days',
    6, 0, 1, true),

-- What the settings say comes first, or instead
(38, 'settings-window', 'Window of the Settings', 'mobile_legends',
    'PUBLISHED', 16, '-20 days', '-10 days', '9 days', NULL, 0, NULL,
    '-5 days', 2, 0, 0, false),
(39, 'settings-only', 'All from the Settings', 'mobile_legends',
    'PUBLISHED', 16, NULL, NULL, NULL, NULL, 15.25, NULL, '-5 days 3:00',
    1, 1, 0, false),

-- Text that must be escaped
(40, 'Night_Cup-2', E'"Night" Cup \\ ঢাকা <কাপ> & 🏆', 'valorant',
    'PUBLISHED', 16, '-1 day', '2 days', '3 days', NULL, 0.01, 0.10,
    '-5 days 4:00', 1, 0, 0, false);


-- Is this a demonstration database?

CREATE TEMP TABLE demo_team (
    id bigint, name text, tag text, game text
) ON COMMIT DROP;

INSERT INTO demo_team VALUES
    (1, 'Paper Tigers',    'PT',   'valorant'),
    (2, 'River Foxes',     'FOX',  'valorant'),
    (3, 'Monsoon Five',    'MON5', 'valorant'),
    (4, 'Night Herons',    'NH',   'dota2'),
    (5, 'Copper Kettles',  'CK',   'dota2'),
    (6, 'Loud Silence',    'LS',   'dota2'),
    (7, 'Left Turn Only',  'LTO',  'cs2'),
    (8, 'Quiet Corner',    'QC',   'cs2'),
    (9, 'Extra Time',      'ET',   'efootball'),
    (10, E'O''Hara\t"XI"', 'OH"XI', 'efootball');

DO $do$
BEGIN
    IF EXISTS (SELECT FROM tournaments_tournament t
                 JOIN demo d ON d.id = t.id OR d.slug = t.slug
                WHERE (d.id, d.slug) <> (t.id, t.slug))
       OR EXISTS (SELECT FROM teams_team t JOIN demo_team d ON d.id = t.id
                   WHERE d.name <> t.name)
       OR EXISTS (SELECT FROM user_profile_userprofile p
                   WHERE p.id BETWEEN 1 AND 60 AND p.user_id <> p.id + 1000
                      OR p.user_id BETWEEN 1001 AND 1060
                         AND p.user_id <> p.id + 1000)
    THEN
        RAISE EXCEPTION 'this database holds other rows where the '
                        'demonstration data would go; nothing was changed';
    END IF;
END
$do$;

-- Foreign keys are checked at the end, when the rows are back
DELETE FROM tournaments_registration r USING demo d
 WHERE r.tournament_id = d.id;
DELETE FROM tournaments_registrationrequest r USING demo d
 WHERE r.tournament_id = d.id;
DELETE FROM tournaments_tournamentsettings s USING demo d
 WHERE s.tournament_id = d.id;
DELETE FROM tournaments_tournament t USING demo d
 WHERE t.id = d.id;
DELETE FROM teams_teammembership m USING demo_team d
 WHERE m.team_id = d.id;
DELETE FROM teams_team t USING demo_team d
 WHERE t.id = d.id;
DELETE FROM user_profile_userprofile
 WHERE id BETWEEN 1 AND 60;


-- People: profile 1 is account 1001, and so on; every seventh is private

INSERT INTO user_profile_userprofile (id, user_id, display_name, avatar,
            is_private, email, phone, facebook, discord, created_at)
SELECT n, 1000 + n,
       (ARRAY['Amber', 'Birch', 'Cobalt', 'Dune', 'Ember', 'Fern', 'Granite',
              'Hazel', 'Indigo', 'Juniper', 'Kelp', 'Larch'])[1 + (n - 1) % 12]
       || ' '
       || (ARRAY['Otter', 'Heron', 'Lynx', 'Marten', 'Kite'])[1 + (n - 1) % 5],
       CASE WHEN n % 3 = 0 THEN format('avatars/%s.png', n) END,
       n % 7 = 0,
       format('SECRET-email-%s@example.invalid', n),
       format('SECRET-phone-%s', n),
       format('https://example.invalid/SECRET-facebook-%s', n),
       format('SECRET-discord-%s', n),
       :'now'::timestamptz - make_interval(days => 100 + n::int)
  FROM generate_series(1, 60) AS n;


-- Teams of five: profiles 1-5 are in team 1, and so on; the first of each is
-- its captain.  51-60 have no team; 46 is in a second one, 51 was invited, 52
-- has left.

INSERT INTO teams_team (id, name, tag, game, logo, captain_id)
SELECT id, name, tag, game,
       CASE WHEN id % 2 = 0 THEN format('logos/%s.png', id) END,
       5 * id - 4
  FROM demo_team;

INSERT INTO teams_teammembership (id, team_id, profile_id, role, status,
            joined_at)
SELECT n, 1 + (n - 1) / 5, n,
       CASE (n - 1) % 5 WHEN 0 THEN 'CAPTAIN' WHEN 4 THEN 'SUBSTITUTE'
                        ELSE 'PLAYER' END,
       'ACTIVE', :'now'::timestamptz - make_interval(days => 90)
  FROM generate_series(1, 50) AS n
UNION ALL
SELECT m.id, m.team_id, m.profile_id, 'PLAYER', m.status,
       :'now'::timestamptz - make_interval(days => 15)
  FROM (VALUES (51, 1, 46, 'ACTIVE'), (52, 1, 51, 'INVITED'),
               (53, 2, 52, 'REMOVED')) AS m (id, team_id, profile_id, status);


INSERT INTO tournaments_tournament (id, name, slug, short_description, game,
            status, banner, slot_size, reg_open_at, reg_close_at, start_at,
            end_at, entry_fee_bdt, prize_pool_bdt, created_at, updated_at,
            groups_published)
SELECT id, name, slug,
       CASE WHEN id % 4 = 2 THEN format('%s: a tournament of %s', name, game)
            WHEN id % 4 = 3 THEN '' END,
       game, status,
       CASE WHEN id % 5 = 0 THEN format('banners/%s.jpg', slug)
            WHEN id % 5 = 4 THEN '' END,
       slots,
       :'now'::timestamptz + opens, :'now'::timestamptz + closes,
       :'now'::timestamptz + starts, :'now'::timestamptz + ends,
       fee, prize,
       :'now'::timestamptz + created, :'now'::timestamptz + created / 2,
       status IN ('RUNNING', 'COMPLETED')
  FROM demo;


-- Settings: none is normal

INSERT INTO tournaments_tournamentsettings (id, tournament_id,
            tournament_type, description, start_at, end_at, reg_open_at,
            reg_close_at, min_team_size, max_team_size, prize_pool_bdt,
            prize_distribution_text, banner, rules_pdf, stream_facebook_url,
            stream_youtube_url, discord_url, invite_only, auto_check_in,
            check_in_open_mins, check_in_close_mins, bkash_receive_number,
            nagad_receive_number, rocket_receive_number, bank_instructions,
            created_at, updated_at)
SELECT d.id, d.id, s.type,
       CASE WHEN d.id % 2 = 0 THEN format(E'All about "%s".\nBe on time.',
                                          d.name) END,
       :'now'::timestamptz + s.starts::interval,
       :'now'::timestamptz + s.ends::interval,
       :'now'::timestamptz + s.opens::interval,
       :'now'::timestamptz + s.closes::interval,
       s.min, s.max, s.prize,
       CASE WHEN d.id % 3 = 0 THEN '60% / 30% / 10%' END,
       CASE WHEN d.id % 5 = 3 THEN format('banners/settings-%s.jpg', d.id) END,
       CASE WHEN d.id % 3 = 1 THEN format('rules/%s.pdf', d.slug) END,
       CASE WHEN d.id % 4 = 1
            THEN format('https://facebook.example/%s', d.slug) END,
       CASE WHEN d.id % 3 = 0
            THEN format('https://youtube.example/%s', d.slug) END,
       CASE WHEN d.id % 2 = 1
            THEN format('https://discord.example/%s', d.slug) END,
       d.id % 6 = 0, s.check_in IS NOT NULL, s.check_in, s.check_in / 3,
       format('SECRET-bkash-%s', d.id), format('SECRET-nagad-%s', d.id),
       format('SECRET-rocket-%s', d.id), format('SECRET-bank-%s', d.id),
       :'now'::timestamptz + d.created, :'now'::timestamptz + d.created
  FROM (VALUES
        (1,  'SE', NULL, NULL, NULL, NULL, 1, 1, NULL::int, 30),
        (3,  'RR', NULL, NULL, NULL, NULL, NULL, NULL, 4000, NULL),
        (7,  'SW', NULL, NULL, NULL, NULL, 1, 1, 100, 60),
        (10, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        (18, 'CU', NULL, NULL, NULL, NULL, 1, NULL, 1, NULL),
        (22, 'RR', NULL, NULL, NULL, NULL, NULL, 1, NULL, 15),
        (26, 'DE', NULL, NULL, NULL, NULL, 1, 1, NULL, NULL),
        (30, 'SE', NULL, NULL, NULL, NULL, 5, 5, NULL, NULL),
        (33, 'SE', NULL, NULL, NULL, NULL, 5, 7, NULL, 45),
        (34, 'DE', NULL, NULL, NULL, NULL, 5, 5, NULL, NULL),
        (35, 'SE', NULL, NULL, NULL, NULL, 5, NULL, NULL, NULL),
        (36, 'SW', NULL, NULL, NULL, NULL, NULL, 2, 6000, NULL),
        (37, 'SE', NULL, NULL, NULL, NULL, 1, 5, NULL, 20),
        (38, 'SE', '-1 day', '4 days', '99 days', NULL, 1, 1, NULL, 90),
        (39, 'DE', '-2 days', '3 days', '5 days', '6 days', 1, 1, 17000, NULL)
       ) AS s (id, type, opens, closes, starts, ends, min, max, prize,
               check_in)
  JOIN demo d ON d.id = s.id;

\if :has_schedule
DELETE FROM tournaments_schedule s USING demo d
 WHERE s.tournament_id = d.id;

INSERT INTO tournaments_schedule (id, tournament_id, check_in_open_mins,
            check_in_close_mins, start_at)
VALUES (1, 1, 60, 10, NULL),
       (2, 2, 120, NULL, NULL),
       (7, 7, NULL, NULL, NULL),
       (33, 33, 90, 15, :'now'::timestamptz + '77 days'::interval);
\endif


-- Registrations.  The players of a tournament are sixty in a row from one
-- that depends on it; its teams likewise.  Every second team's row has its
-- captain as user, too.

INSERT INTO tournaments_registration (id, tournament_id, user_id, team_id,
            payment_method, payment_sender, payment_reference, payment_status,
            status, payment_verified_by_id, payment_verified_at, created_at)
SELECT row_number() OVER (ORDER BY r.id, r.n), r.id,
       CASE WHEN NOT r.teams THEN 1 + (r.id * 7 + r.n) % 60
            WHEN r.n % 2 = 0 THEN 5 * r.team - 4 END,
       CASE WHEN r.teams THEN r.team END,
       format('SECRET-method-%s', r.id), format('SECRET-sender-%s-%s', r.id,
                                                r.n),
       format('SECRET-reference-%s-%s', r.id, r.n),
       CASE r.status WHEN 'CONFIRMED' THEN 'verified'
                     WHEN 'CANCELLED' THEN 'rejected' ELSE 'pending' END,
       r.status,
       CASE WHEN r.status <> 'PENDING' THEN 1001 END,
       CASE WHEN r.status <> 'PENDING'
            THEN r.registered + '1:00'::interval END,
       r.registered
  FROM (SELECT d.*, n, 1 + (d.id + n) % 10 AS team,
               CASE WHEN n <= d.confirmed THEN 'CONFIRMED'
                    WHEN n <= d.confirmed + d.pending THEN 'PENDING'
                    ELSE 'CANCELLED' END AS status,
               :'now'::timestamptz
               + least(coalesce(d.opens, d.created), '-2:00'::interval)
               + make_interval(mins => n) AS registered
          FROM demo d
         CROSS JOIN LATERAL generate_series(1, d.confirmed + d.pending
                                               + d.cancelled) AS n
       ) AS r (id, slug, name, game, t_status, slots, opens, closes, starts,
               ends, fee, prize, created, confirmed, pending, cancelled,
               teams, n, team, status, registered);

INSERT INTO tournaments_registrationrequest (id, tournament_id, team_id,
            requester_id, captain_id, status, created_at, expires_at)
SELECT q.id, q.tournament_id, q.team_id, q.requester_id, 5 * q.team_id - 4,
       q.status, :'now'::timestamptz - '5:00'::interval,
       :'now'::timestamptz + '19:00'::interval
  FROM (VALUES (1, 33, 1, 2, 'PENDING'),
               (2, 33, 1, 3, 'REJECTED'),
               (3, 36, 1, 4, 'APPROVED'),
               (4, 36, 6, 27, 'PENDING')
       ) AS q (id, tournament_id, team_id, requester_id, status);


-- The next row made by hand gets the next id

SELECT setval(pg_get_serial_sequence(t, 'id'),
              greatest(m.id, nextval(pg_get_serial_sequence(t, 'id')) - 1))
  FROM (SELECT 'tournaments_tournament', max(id) FROM tournaments_tournament
        UNION ALL
        SELECT 'tournaments_tournamentsettings', max(id)
          FROM tournaments_tournamentsettings
        UNION ALL
        SELECT 'tournaments_registration', max(id)
          FROM tournaments_registration
        UNION ALL
        SELECT 'tournaments_registrationrequest', max(id)
          FROM tournaments_registrationrequest
        UNION ALL
        SELECT 'user_profile_userprofile', max(id)
          FROM user_profile_userprofile
        UNION ALL
        SELECT 'teams_team', max(id) FROM teams_team
        UNION ALL
        SELECT 'teams_teammembership', max(id) FROM teams_teammembership
       ) AS m (t, id) \g /dev/null

\if :has_schedule
SELECT setval(pg_get_serial_sequence('tournaments_schedule', 'id'), max(id))
  FROM tournaments_schedule \g /dev/null
\endif

COMMIT;

ANALYZE;

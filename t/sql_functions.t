# The functions that the module calls, on demonstration data with a fixed
# clock, on rows as no form would make them, and on tables as another
# deployment has them: each against plain SQL written in another way.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Tournament::Postgres;
use Tournament::Util qw(project slurp spew tempdir);

binmode $_, ':encoding(UTF-8)'
    for map { Test::More->builder->$_ } qw(output failure_output todo_output);

my $NOW = '2026-11-23 07:12:00+00';

# The whole size takes minutes to fill; the plans are the same for a tenth.

my $REGISTRATIONS = $ENV{TOURNAMENT_REGISTRATIONS} || 200_000;

my @STATE = (
    'id bigint', 'status text', 'slot_size bigint',
    'reg_open_at timestamp with time zone',
    'reg_close_at timestamp with time zone',
    'start_at timestamp with time zone', 'min_team_size integer',
    'max_team_size integer', 'confirmed bigint', 'slug text',
);

my @CARD = (
    'id bigint', 'slug text', 'name text', 'game text', 'status text',
    'short_description text', 'banner text', 'entry_fee text',
    'prize_pool text', 'reg_open_at timestamp with time zone',
    'reg_close_at timestamp with time zone',
    'start_at timestamp with time zone', 'end_at timestamp with time zone',
    'slot_size bigint', 'min_team_size integer', 'max_team_size integer',
    'confirmed bigint', 'registered bigint',
);

# What the module reads, and the types that its parameters get

my %INTERFACE = (
    state  => [ 'text', @STATE ],
    states => [ 'text[]', @STATE ],
    hub    => [
        'text,text,text,text,text,text,integer,integer',
        'total_count bigint', 'page bigint', 'per_page bigint',
        'valid_until timestamp with time zone', @CARD,
    ],
    detail => [
        'text', @CARD, 'description text', 'tournament_type text',
        'check_in_required boolean',
        'check_in_open_at timestamp with time zone',
        'check_in_close_at timestamp with time zone', 'youtube text',
        'facebook text', 'discord text', 'prize_distribution text',
        'rules_pdf text', 'created_at timestamp with time zone',
        'updated_at timestamp with time zone', 'related boolean',
    ],
    count => [
        'text', 'id bigint', 'slug text', 'pending bigint',
        'confirmed bigint', 'cancelled bigint',
    ],
    participants => [
        'text', 'id bigint', 'start_at timestamp with time zone',
        'min_team_size integer', 'max_team_size integer',
        'registration_id bigint', 'status text', 'name text',
        'team_id bigint', 'team_name text', 'team_tag text', 'captain text',
        'profile_id bigint', 'captain_id bigint',
    ],
    registration_context => [
        'bigint,text', @STATE, 'requires_payment boolean',
        'profile_id bigint', 'own_status text', 'team_id bigint',
        'team_name text', 'is_captain boolean', 'team_status text',
        'request_pending boolean', 'captain_name text', 'captain_id bigint',
        'participant boolean', 'teams bigint[]',
    ],
    user_registrations => [
        'bigint', 'profile_id bigint', 'teams bigint[]',
        'registration_id bigint', 'registration_status text',
        'payment_status text', 'created_at timestamp with time zone',
        'team_id bigint', 'team_name text', 'team_tag text', @CARD,
    ],
    platform_stats => [
        '', 'total_active bigint', 'players_this_month bigint',
        'prize_pool_month bigint', 'tournaments_completed bigint',
        'new_this_week bigint', 'valid_until timestamp with time zone',
        'game text', 'game_count bigint',
    ],
);

my $pg = Tournament::Postgres->new(load => []);

my $databases = 0;


# A new database with tables and functions. Returns a session in it.

sub database {
    my (%options) = @_;

    my $name   = 'site' . ++$databases;
    my @tables = $options{tables_schema}
        ? (tables_schema => $options{tables_schema}) : ();

    $pg->psql("CREATE DATABASE $name");
    $pg->load($options{schema} // 'schema', -dbname => $name, @tables);
    $pg->load('demo', -dbname => $name, @tables, now => $NOW)
        if $options{demo};
    $pg->load('install', -dbname => $name, @tables);

    my $db = $pg->session(dbname => $name);

    $db->{name}   = $name;
    $db->{tables} = $options{tables_schema} // 'public';

    return $db;
}


# What the functions should say of the tables as they are now, in temporary
# tables and functions of the session. Written plainly: slow, all of it.

sub expectations {
    my ($db) = @_;

    $db->rows(qq{
        SET search_path = "$db->{tables}";
        SET timezone = 'UTC';
        DROP TABLE IF EXISTS facts, cards, details});

    # A site without schedules has none

    $db->rows(q{
        CREATE TEMP TABLE tournaments_schedule
            (tournament_id int, check_in_open_mins int,
             check_in_close_mins int)})
        if !has_schedules($db);

    $db->rows(q{
        CREATE OR REPLACE FUNCTION pg_temp.money(n numeric) RETURNS text
        LANGUAGE sql AS $$
            SELECT CASE WHEN n::text !~ 'NaN|Infinity'
                        THEN to_char(n, 'FM99999999999999999990.00') END
        $$;

        CREATE OR REPLACE FUNCTION pg_temp.number_of(tournament bigint,
                                                     VARIADIC statuses text[])
        RETURNS bigint LANGUAGE sql AS $$
            SELECT coalesce(sum(1), 0) FROM tournaments_registration
             WHERE tournament_id = tournament
               AND array_position(statuses, status::text) > 0
        $$;

        CREATE TEMP TABLE facts AS
        SELECT t.id, t.slug::text, t.game::text, t.status::text,
               s.min_team_size > 1 IS TRUE
               OR s.max_team_size > 1 IS TRUE AS teams,
               CASE WHEN t.start_at IS NULL THEN s.start_at
                    ELSE t.start_at END AS starts,
               jsonb_build_object(
                   'id', t.id, 'status', t.status, 'slot_size', t.slot_size,
                   'reg_open_at', CASE WHEN s.reg_open_at IS NULL
                                       THEN t.reg_open_at
                                       ELSE s.reg_open_at END,
                   'reg_close_at', CASE WHEN s.reg_close_at IS NULL
                                        THEN t.reg_close_at
                                        ELSE s.reg_close_at END,
                   'start_at', CASE WHEN t.start_at IS NULL THEN s.start_at
                                    ELSE t.start_at END,
                   'min_team_size', s.min_team_size,
                   'max_team_size', s.max_team_size,
                   'confirmed', pg_temp.number_of(t.id, 'CONFIRMED'),
                   'slug', t.slug) AS j
          FROM tournaments_tournament t
          LEFT JOIN tournaments_tournamentsettings s ON t.id = s.tournament_id;

        CREATE TEMP TABLE cards AS
        SELECT f.id, f.j || jsonb_build_object(
                   'name', t.name, 'game', t.game,
                   'short_description', t.short_description,
                   'banner', CASE WHEN t.banner <> '' THEN t.banner
                                  WHEN s.banner <> '' THEN s.banner END,
                   'entry_fee', pg_temp.money(t.entry_fee_bdt),
                   'prize_pool', pg_temp.money(
                       CASE WHEN t.prize_pool_bdt IS NULL
                            THEN s.prize_pool_bdt
                            ELSE t.prize_pool_bdt END),
                   'end_at', CASE WHEN t.end_at IS NULL THEN s.end_at
                                  ELSE t.end_at END,
                   'registered', pg_temp.number_of(t.id, 'PENDING',
                                                   'CONFIRMED')) AS j
          FROM facts f
          JOIN tournaments_tournament t ON t.id = f.id
          LEFT JOIN tournaments_tournamentsettings s ON t.id = s.tournament_id;

        CREATE TEMP TABLE details AS
        SELECT f.id, jsonb_build_object(
                   'description', CASE WHEN s.description <> ''
                                       THEN s.description END,
                   'tournament_type', CASE WHEN s.tournament_type <> ''
                                           THEN s.tournament_type END,
                   'check_in_required',
                       s.auto_check_in IS NOT DISTINCT FROM true,
                   'check_in_open_at',
                       CASE WHEN extract(year FROM f.starts) > 0
                             AND extract(year FROM f.starts) < 290000
                            THEN f.starts - interval '1 minute'
                                 * CASE coalesce(c.check_in_open_mins,
                                                 s.check_in_open_mins)
                                   WHEN 0 THEN NULL
                                   ELSE coalesce(c.check_in_open_mins,
                                                 s.check_in_open_mins) END END,
                   'check_in_close_at',
                       CASE WHEN extract(year FROM f.starts) > 0
                             AND extract(year FROM f.starts) < 290000
                            THEN f.starts - interval '1 minute'
                                 * CASE coalesce(c.check_in_close_mins,
                                                 s.check_in_close_mins)
                                   WHEN 0 THEN NULL
                                   ELSE coalesce(c.check_in_close_mins,
                                                 s.check_in_close_mins) END END,
                   'youtube', CASE WHEN s.stream_youtube_url <> ''
                                   THEN s.stream_youtube_url END,
                   'facebook', CASE WHEN s.stream_facebook_url <> ''
                                    THEN s.stream_facebook_url END,
                   'discord', CASE WHEN s.discord_url <> ''
                                   THEN s.discord_url END,
                   'prize_distribution', CASE
                       WHEN s.prize_distribution_text <> ''
                       THEN s.prize_distribution_text END,
                   'rules_pdf', CASE WHEN s.rules_pdf <> ''
                                     THEN s.rules_pdf END,
                   'created_at', t.created_at,
                   'updated_at', t.updated_at) AS j
          FROM facts f
          JOIN tournaments_tournament t ON t.id = f.id
          LEFT JOIN tournaments_tournamentsettings s ON t.id = s.tournament_id
          LEFT JOIN tournaments_schedule c ON t.id = c.tournament_id;

        -- Everything of hub that matches, in order

        CREATE OR REPLACE FUNCTION pg_temp.hub(
            game text, status text, fee text, prize text, sort text, q text,
            instant timestamptz)
        RETURNS bigint[] LANGUAGE sql AS $$
            SELECT coalesce(array_agg(m.id ORDER BY
                       CASE WHEN $5 = 'newest'
                            THEN extract(epoch FROM m.created_at) END DESC,
                       CASE WHEN $5 = 'starting_soon'
                            THEN extract(epoch FROM m.start_at) END,
                       CASE WHEN $5 = 'prize_high'
                            THEN m.prize_pool_bdt END DESC,
                       CASE WHEN $5 = 'prize_low'
                            THEN m.prize_pool_bdt END,
                       CASE WHEN $5 = 'popular'
                            THEN (SELECT (c.j -> 'registered')::int
                                    FROM cards c WHERE c.id = m.id) END DESC,
                       CASE WHEN $5 IS NULL
                            THEN coalesce(extract(epoch FROM m.start_at),
                                          'infinity') END DESC,
                       CASE WHEN $5 IS NULL
                            THEN m.start_at IS NULL END DESC,
                       m.id DESC), '{}')
              FROM tournaments_tournament m
             WHERE ($1 IS NULL OR m.game::text = $1)
               AND CASE $2
                   WHEN 'open' THEN m.status = 'PUBLISHED'
                        AND $7 BETWEEN m.reg_open_at AND m.reg_close_at
                   WHEN 'live' THEN m.status = 'RUNNING'
                   WHEN 'upcoming' THEN m.status = 'PUBLISHED'
                        AND NOT m.start_at <= $7
                   WHEN 'completed' THEN m.status = 'COMPLETED'
                   ELSE m.status IN ('PUBLISHED', 'RUNNING') END
               AND CASE $3
                   WHEN 'free' THEN coalesce(m.entry_fee_bdt, 0) = 0
                   WHEN 'paid' THEN m.entry_fee_bdt > 0
                   ELSE true END
               AND CASE $4
                   WHEN 'high' THEN NOT m.prize_pool_bdt < 50000
                   WHEN 'medium' THEN NOT m.prize_pool_bdt < 10000
                        AND NOT m.prize_pool_bdt >= 50000
                   WHEN 'low' THEN m.prize_pool_bdt > 0
                        AND NOT m.prize_pool_bdt >= 10000
                   ELSE true END
               AND ($5 IS NULL OR $5 NOT IN ('prize_high', 'prize_low')
                    OR m.prize_pool_bdt IS NOT NULL)
               AND ($5 IS NULL OR $5 <> 'starting_soon'
                    OR NOT m.start_at < $7)
               AND ($6 IS NULL
                    OR strpos(lower(m.name), lower($6)) > 0
                    OR strpos(lower(m.game), lower($6)) > 0
                    OR strpos(lower(m.short_description), lower($6)) > 0)
        $$;

        -- A page of it, whole

        CREATE OR REPLACE FUNCTION pg_temp.hub_page(
            ids bigint[], page int, per_page int)
        RETURNS jsonb LANGUAGE sql AS $$
            WITH p AS (
                SELECT least($2, greatest(ceil(cardinality($1) / $3::numeric),
                                          1))::int AS page
            ), head AS (
                SELECT jsonb_build_object('total_count', cardinality($1),
                                          'page', p.page, 'per_page', $3) AS j
                  FROM p
            )
            SELECT coalesce((
                SELECT jsonb_agg(head.j || c.j ORDER BY o.n)
                  FROM p, head, unnest($1) WITH ORDINALITY AS o (id, n)
                  JOIN cards c ON c.id = o.id
                 WHERE (o.n - 1) / $3 + 1 = p.page),
                (SELECT jsonb_build_array(head.j) FROM head))
        $$;

        CREATE OR REPLACE FUNCTION pg_temp.profile(account bigint)
        RETURNS bigint LANGUAGE sql AS $$
            SELECT min(id) FROM user_profile_userprofile WHERE user_id = $1
        $$;

        CREATE OR REPLACE FUNCTION pg_temp.teams(account bigint)
        RETURNS SETOF bigint LANGUAGE sql AS $$
            SELECT team_id FROM teams_teammembership
             WHERE profile_id = pg_temp.profile($1) AND status = 'ACTIVE'
             GROUP BY team_id ORDER BY team_id
        $$;

        CREATE OR REPLACE FUNCTION pg_temp.context(account bigint, slug text)
        RETURNS jsonb LANGUAGE sql AS $$
            WITH f AS (
                SELECT * FROM facts WHERE facts.slug = $2
            ), me AS (
                SELECT pg_temp.profile($1) AS id
            ), reg AS (
                SELECT r.* FROM tournaments_registration r
                  JOIN f ON f.id = r.tournament_id
            ), team AS (
                SELECT m.*, row_number() OVER (
                           ORDER BY CASE WHEN m.game = f.game THEN 0 ELSE 1 END,
                                    m.name, m.id) AS n
                  FROM f, teams_team m
                 WHERE f.teams AND m.id IN (SELECT pg_temp.teams($1))
            ), mine AS (
                SELECT * FROM team WHERE n = 1
            )
            SELECT f.j || jsonb_build_object(
                'requires_payment', NOT coalesce(
                    (SELECT entry_fee_bdt FROM tournaments_tournament t
                      WHERE t.id = f.id), 0) <= 0,
                'profile_id', me.id,
                'own_status', (SELECT status FROM reg WHERE user_id = me.id),
                'team_id', (SELECT id FROM mine),
                'team_name', (SELECT name FROM mine),
                'is_captain', 0 < (SELECT count(*) FROM mine
                                     JOIN teams_teammembership m
                                       ON m.team_id = mine.id
                                    WHERE me.id = mine.captain_id
                                       OR m.profile_id = me.id
                                          AND m.role = 'CAPTAIN'
                                          AND m.status = 'ACTIVE'),
                'team_status', (SELECT status FROM reg
                                 WHERE team_id = (SELECT id FROM mine)),
                'request_pending', 0 < (
                    SELECT count(*) FROM tournaments_registrationrequest q, mine
                     WHERE q.status = 'PENDING' AND q.tournament_id = f.id
                       AND q.team_id = mine.id AND q.requester_id = me.id),
                'captain_name', (SELECT CASE display_name WHEN '' THEN NULL
                                        ELSE display_name END
                                   FROM user_profile_userprofile p, mine
                                  WHERE p.id = mine.captain_id),
                'captain_id', (SELECT captain_id FROM mine),
                'participant', 0 < (
                    SELECT count(*) FROM reg
                     WHERE status = 'CONFIRMED'
                       AND (user_id = me.id
                            OR team_id IN (SELECT pg_temp.teams($1)))),
                'teams', ARRAY(SELECT pg_temp.teams($1)))
              FROM f, me
        $$;

        CREATE OR REPLACE FUNCTION pg_temp.participants(slug text)
        RETURNS jsonb LANGUAGE sql AS $$
            SELECT jsonb_agg(jsonb_build_object(
                       'id', f.id, 'start_at', f.starts,
                       'min_team_size', f.j -> 'min_team_size',
                       'max_team_size', f.j -> 'max_team_size',
                       'registration_id', r.id, 'status', r.status,
                       'name', CASE WHEN f.teams AND r.team_id IS NOT NULL
                                    THEN NULL
                                    WHEN p.is_private THEN NULL
                                    ELSE p.display_name END,
                       'team_id', m.id, 'team_name', m.name,
                       'team_tag', m.tag,
                       'captain', CASE c.is_private WHEN false
                                  THEN c.display_name END,
                       'profile_id', r.user_id, 'captain_id', m.captain_id)
                       ORDER BY r.created_at, r.id)
              FROM facts f
              LEFT JOIN (SELECT * FROM tournaments_registration
                          WHERE status = 'CONFIRMED') r
                     ON r.tournament_id = f.id
              LEFT JOIN user_profile_userprofile p ON r.user_id = p.id
              LEFT JOIN teams_team m ON f.teams AND r.team_id = m.id
              LEFT JOIN user_profile_userprofile c ON m.captain_id = c.id
             WHERE f.slug = $1 AND f.status <> 'DRAFT'
        $$;

        CREATE OR REPLACE FUNCTION pg_temp.registrations(account bigint)
        RETURNS jsonb LANGUAGE sql AS $$
            WITH me AS (
                SELECT jsonb_build_object(
                           'profile_id', pg_temp.profile($1),
                           'teams', ARRAY(SELECT pg_temp.teams($1))) AS j
            )
            SELECT coalesce((
                SELECT jsonb_agg(me.j || jsonb_build_object(
                           'registration_id', r.id,
                           'registration_status', r.status,
                           'payment_status', r.payment_status,
                           'created_at', r.created_at,
                           'team_id', m.id, 'team_name', m.name,
                           'team_tag', m.tag) || c.j
                           ORDER BY r.created_at DESC, r.id DESC)
                  FROM me, tournaments_registration r
                  JOIN cards c ON c.id = r.tournament_id
                  LEFT JOIN teams_team m ON m.id = r.team_id
                 WHERE r.user_id = pg_temp.profile($1)
                    OR r.team_id IN (SELECT pg_temp.teams($1))),
                (SELECT jsonb_build_array(me.j) FROM me))
        $$;

        CREATE OR REPLACE FUNCTION pg_temp.stats(instant timestamptz)
        RETURNS jsonb LANGUAGE sql AS $$
            WITH shown AS (
                SELECT * FROM tournaments_tournament
                 WHERE status IN ('PUBLISHED', 'RUNNING')
            ), figures AS (
                SELECT jsonb_build_object(
                    'total_active', (SELECT count(*) FROM shown
                                      WHERE NOT start_at < $1),
                    'players_this_month', (
                        SELECT count(*) FROM user_profile_userprofile p
                         WHERE p.id IN (
                             SELECT r.user_id FROM tournaments_registration r
                              WHERE r.status = 'CONFIRMED'
                                AND CASE WHEN r.created_at > $1 THEN true
                                    ELSE r.created_at + interval '720:00'
                                         >= $1 END)),
                    'prize_pool_month', (
                        SELECT coalesce(trunc(sum(prize_pool_bdt)), 0)
                          FROM tournaments_tournament
                         WHERE status IN ('PUBLISHED', 'RUNNING', 'COMPLETED')
                           AND CASE WHEN start_at <= $1
                                    THEN start_at + interval '720:00' >= $1 END
                           AND prize_pool_bdt BETWEEN -1e15 AND 1e15),
                    'tournaments_completed', (
                        SELECT count(*) FROM tournaments_tournament
                         WHERE status = 'COMPLETED'),
                    'new_this_week', (
                        SELECT count(*) FROM shown
                         WHERE CASE WHEN created_at <= $1
                                    THEN created_at + interval '168:00' >= $1
                                    ELSE true END)) AS j
            ), games AS (
                SELECT game, count(*) AS n FROM shown GROUP BY game
            )
            SELECT coalesce((
                SELECT jsonb_agg(f.j || jsonb_build_object(
                           'game', g.game, 'game_count', g.n)
                           ORDER BY -g.n, g.game)
                  FROM figures f, games g),
                (SELECT jsonb_build_array(f.j) FROM figures f))
        $$});

    # What a function says, as the expectations are written: null members are
    # left out on both sides.

    $db->rows(q{
        CREATE OR REPLACE FUNCTION pg_temp.same(a jsonb, b jsonb)
        RETURNS boolean LANGUAGE sql AS $$
            SELECT jsonb_strip_nulls(coalesce(a, '[]'))
                   = jsonb_strip_nulls(coalesce(b, '[]'))
        $$});

    return;
}


sub has_schedules {
    my ($db) = @_;

    return defined $db->value(q{SELECT to_regclass('tournaments_schedule')});
}


# No rows: what the query finds are differences.

sub none {
    my ($db, $name, $sql) = @_;

    my @rows = $db->rows($sql);

    ok !@rows, $name or diag explain [ splice @rows, 0, 3 ];

    return;
}


my @STATUS = ('NULL', map { "'$_'" } qw(open live upcoming completed));
my @FEE    = ('NULL', map { "'$_'" } qw(free paid));
my @PRIZE  = ('NULL', map { "'$_'" } qw(high medium low));
my @SORT   = ('NULL', map { "'$_'" } qw(newest starting_soon prize_high
                                        prize_low popular));


sub values_of {
    my ($name, @values) = @_;

    return '(VALUES ' . join(', ', map { "($_\::text)" } @values)
        . ") AS $name ($name)";
}


# What the clock alone changes: no answer is kept beyond its valid_until. The
# clock is the second's. A result can only change at the first second that
# reaches an instant in the tables, at the next one, or a week or a month
# later; so all of these are looked at, and what is between two of them is the
# same.

my $MOMENTS = q{(SELECT date_trunc('second', b.at) + moment
                   FROM (VALUES (interval '-1 microsecond'), ('0'),
                                ('999999 microseconds'), ('1 second'),
                                ('1.5 seconds')) AS m (moment)
                 UNION ALL VALUES (b.at))};


sub timelines {
    my ($db) = @_;

    $db->rows(qq{
        CREATE TEMP TABLE instants AS
        SELECT DISTINCT d.instant
          FROM (SELECT reg_open_at AS at FROM tournaments_tournament
                UNION SELECT reg_close_at FROM tournaments_tournament
                UNION SELECT start_at FROM tournaments_tournament
                UNION VALUES (timestamptz '$NOW')) b
         CROSS JOIN LATERAL $MOMENTS AS d (instant)
         WHERE b.at BETWEEN timestamptz '$NOW' - interval '3 days'
                        AND timestamptz '$NOW' + interval '9 days';

        CREATE TEMP TABLE hubs AS
        SELECT c.*, i.instant,
               pg_temp.hub(NULL, status, fee, NULL, sort, q,
                           date_trunc('second', instant)) AS ids,
               h.*
          FROM (VALUES (NULL, NULL, NULL, NULL), ('open', NULL, NULL, NULL),
                       ('upcoming', NULL, NULL, NULL),
                       ('live', NULL, NULL, NULL),
                       ('completed', NULL, NULL, NULL),
                       (NULL, NULL, 'starting_soon', NULL),
                       ('open', NULL, 'starting_soon', NULL),
                       ('upcoming', 'free', 'starting_soon', NULL),
                       ('open', 'paid', 'popular', NULL),
                       ('open', NULL, NULL, 'o'))
               AS c (status, fee, sort, q)
         CROSS JOIN instants i
         CROSS JOIN LATERAL (
             SELECT coalesce(array_agg(id) FILTER (WHERE id > 0), '{}') AS got,
                    min(total_count) AS total, min(valid_until) AS valid_until
               FROM tournament_api.hub(NULL, status, fee, NULL, sort, q, 1,
                                       100, instant)) h});

    cmp_ok $db->value('SELECT count(DISTINCT ids) FROM hubs'), '>', 30,
        'time changes hub';

    none($db, 'hub: right at every instant', q{
        SELECT * FROM hubs
         WHERE got <> ids[1:100] OR total <> cardinality(ids)});

    my $next = q{(SELECT min(n.instant) FROM hubs n
                   WHERE (n.status, n.fee, n.sort, n.q)
                         IS NOT DISTINCT FROM (h.status, h.fee, h.sort, h.q)
                     AND n.instant > h.instant AND n.ids <> h.ids)};

    none($db, 'hub: valid_until is never late', qq{
        SELECT h.*, $next FROM hubs h
         WHERE coalesce(valid_until, 'infinity') > $next});

    none($db, 'hub: valid_until is to come', q{
        SELECT * FROM hubs WHERE valid_until <= instant});

    none($db, 'hub: without need there is none', q{
        SELECT * FROM hubs
         WHERE valid_until IS NOT NULL AND sort IS DISTINCT FROM
               'starting_soon' AND (status IN ('live', 'completed')) IS NOT
               FALSE});

    none($db, 'hub: and not before something happens', qq{
        SELECT h.*, $next FROM hubs h
         WHERE valid_until < $next
           AND (status = 'upcoming' OR status IS NULL)});

    none($db, 'hub: the same until then', q{
        SELECT * FROM hubs h
         WHERE valid_until IS NOT NULL
           AND got IS DISTINCT FROM (
               SELECT coalesce(array_agg(id) FILTER (WHERE id > 0), '{}')
                 FROM tournament_api.hub(NULL, status, fee, NULL, sort, q, 1,
                          100, valid_until - interval '1 microsecond'))});

    $db->rows(qq{
        INSERT INTO instants
        SELECT DISTINCT d.instant
          FROM (SELECT created_at + interval '168:00' AS at
                  FROM tournaments_tournament
                 WHERE created_at < '$NOW'
                UNION ALL
                SELECT start_at + interval '720:00'
                  FROM tournaments_tournament
                 WHERE start_at < '$NOW'
                UNION ALL
                SELECT created_at + interval '720:00'
                  FROM tournaments_registration
                 WHERE created_at < '$NOW') b
         CROSS JOIN LATERAL $MOMENTS AS d (instant)
         WHERE b.at BETWEEN timestamptz '$NOW' - interval '1 hour'
                        AND timestamptz '$NOW' + interval '9 days'
         EXCEPT SELECT instant FROM instants;

        CREATE TEMP TABLE stats AS
        SELECT i.instant,
               pg_temp.stats(date_trunc('second', i.instant)) AS j, s.*
          FROM instants i
         CROSS JOIN LATERAL (
             SELECT jsonb_agg(to_jsonb(s) - 'valid_until') AS got,
                    min(valid_until) AS valid_until
               FROM tournament_api.platform_stats(i.instant) s) s});

    cmp_ok $db->value('SELECT count(DISTINCT j) FROM stats'), '>', 5,
        'time changes platform_stats';

    $next = '(SELECT min(n.instant) FROM stats n
               WHERE n.instant > s.instant AND n.j <> s.j)';

    none($db, 'platform_stats: right at every instant', q{
        SELECT * FROM stats WHERE NOT pg_temp.same(got, j)});
    none($db, 'platform_stats: valid_until is never late', qq{
        SELECT * FROM stats s
         WHERE coalesce(valid_until, 'infinity') > $next});
    none($db, 'platform_stats: valid_until is to come', q{
        SELECT * FROM stats WHERE valid_until <= instant});

    return;
}


# Each function for whatever there is in the tables.

sub all_functions {
    my ($db) = @_;

    expectations($db);

    none($db, 'state', q{
        SELECT f.slug FROM facts f
         WHERE NOT pg_temp.same(jsonb_build_array(f.j), (
                   SELECT jsonb_agg(to_jsonb(s))
                     FROM tournament_api.state(f.slug) s))});

    none($db, 'states', q{
        SELECT 'states'
         WHERE NOT pg_temp.same(
                   (SELECT jsonb_agg(f.j ORDER BY f.slug) FROM facts f),
                   (SELECT jsonb_agg(to_jsonb(s) ORDER BY s.slug)
                      FROM tournament_api.states(
                               (SELECT array_agg(slug) || array_agg(slug)
                                       || ARRAY['nope', '', NULL]
                                  FROM facts)) s))});

    none($db, 'detail', q{
        SELECT f.slug FROM facts f
         WHERE NOT pg_temp.same(
             (SELECT jsonb_build_array(c.j || d.j || '{"related": false}')
                     || coalesce((
                         SELECT jsonb_agg(r.j || '{"related": true}'
                                          ORDER BY r.at DESC, r.id DESC)
                           FROM (SELECT o.j, o.id, t.created_at AS at
                                   FROM cards o
                                   JOIN tournaments_tournament t
                                     ON t.id = o.id
                                  WHERE t.game = f.game AND t.id <> f.id
                                    AND t.status IN ('PUBLISHED', 'RUNNING')
                                  ORDER BY t.created_at DESC, t.id DESC
                                  LIMIT 4) r), '[]')
                FROM cards c, details d
               WHERE c.id = f.id AND d.id = f.id AND f.status <> 'DRAFT'),
             (SELECT jsonb_agg(to_jsonb(s))
                FROM tournament_api.detail(f.slug) s))});

    none($db, 'count', q{
        SELECT f.slug FROM facts f
         WHERE NOT pg_temp.same(
             (SELECT jsonb_build_array(jsonb_build_object(
                         'id', f.id, 'slug', f.slug,
                         'pending', pg_temp.number_of(f.id, 'PENDING'),
                         'confirmed', pg_temp.number_of(f.id, 'CONFIRMED'),
                         'cancelled', pg_temp.number_of(f.id, 'CANCELLED')))
               WHERE f.status <> 'DRAFT'),
             (SELECT jsonb_agg(to_jsonb(s))
                FROM tournament_api.count(f.slug) s))});

    none($db, 'participants', q{
        SELECT f.slug FROM facts f
         WHERE NOT pg_temp.same(
             pg_temp.participants(f.slug),
             (SELECT jsonb_agg(to_jsonb(s))
                FROM tournament_api.participants(f.slug) s))});

    # All accounts at some tournaments, and some at all

    none($db, 'registration_context', q{
        SELECT a.account, f.slug
          FROM (SELECT user_id AS account,
                       row_number() OVER (ORDER BY id) AS n
                  FROM user_profile_userprofile
                UNION ALL SELECT 5, 0 UNION ALL SELECT NULL, 0) a,
               (SELECT slug, teams, row_number() OVER (ORDER BY id) AS n
                  FROM facts) f
         WHERE (f.teams AND a.n % 3 = f.n % 3 OR a.n % 9 = f.n % 9)
           AND NOT pg_temp.same(
                   jsonb_build_array(pg_temp.context(a.account, f.slug)),
                   (SELECT jsonb_agg(to_jsonb(s))
                      FROM tournament_api.registration_context(
                               a.account, f.slug) s))});

    # Where there is no registration the counts are of nothing

    none($db, 'user_registrations', q{
        SELECT a.account
          FROM (SELECT user_id AS account FROM user_profile_userprofile
                UNION ALL SELECT 5 UNION ALL SELECT NULL) a
         WHERE NOT pg_temp.same(
             pg_temp.registrations(a.account),
             (SELECT jsonb_agg(CASE WHEN s.registration_id IS NULL
                                    THEN to_jsonb(s) - 'confirmed'
                                         - 'registered'
                                    ELSE to_jsonb(s) END)
                FROM tournament_api.user_registrations(a.account) s))});

    none($db, 'no rows for what is not there', q{
        SELECT id FROM tournament_api.state('nope')
        UNION ALL SELECT id FROM tournament_api.state(NULL)
        UNION ALL SELECT id FROM tournament_api.states('{nope}')
        UNION ALL SELECT id FROM tournament_api.states('{}')
        UNION ALL SELECT id FROM tournament_api.states(NULL)
        UNION ALL SELECT id FROM tournament_api.detail('nope')
        UNION ALL SELECT id FROM tournament_api.detail(NULL)
        UNION ALL SELECT id FROM tournament_api.count('nope')
        UNION ALL SELECT id FROM tournament_api.participants('nope')
        UNION ALL SELECT id
          FROM tournament_api.registration_context(1001, 'nope')});

    hub($db);
    search($db);

    none($db, 'platform_stats', qq{
        SELECT 'platform_stats'
         WHERE NOT pg_temp.same(
             pg_temp.stats('$NOW'),
             (SELECT jsonb_agg(to_jsonb(s) - 'valid_until')
                FROM tournament_api.platform_stats('$NOW') s))});

    return;
}


# One call of hub, and what it should say.

my $HUB_DIFFERS = q{
    NOT pg_temp.same(
        pg_temp.hub_page(pg_temp.hub(nullif(game, ''), status, fee, prize,
                                     sort, q, now), page, per_page),
        (SELECT jsonb_agg(CASE WHEN h.id IS NULL
                               THEN to_jsonb(h) - 'valid_until' - 'confirmed'
                                    - 'registered'
                               ELSE to_jsonb(h) - 'valid_until' END)
           FROM tournament_api.hub(game, status, fee, prize, sort, q, page,
                                   per_page, now) h))};


sub hub {
    my ($db) = @_;

    my $combinations = join ', ', values_of('status', @STATUS),
        values_of('fee', @FEE), values_of('prize', @PRIZE),
        values_of('sort', @SORT);

    # Pages of several sizes, the last one and one past the end

    none($db, 'hub: all filters with all sorts', qq{
        SELECT status, fee, prize, sort, page, per_page
          FROM (SELECT *, NULL::text AS game, NULL::text AS q,
                       timestamptz '$NOW' AS now,
                       (ARRAY[1, 2, 3, 1000000])[1 + n % 4] AS page,
                       (ARRAY[1, 3, 12, 100, 5])[1 + n % 5] AS per_page
                  FROM (SELECT *, row_number() OVER ()::int AS n
                          FROM $combinations) c) c
         WHERE $HUB_DIFFERS});

    my $games = '(SELECT DISTINCT game::text FROM facts UNION ALL '
        . q{VALUES (''), ('nope')) AS games (game)};

    $combinations = join ', ', $games, values_of('status', @STATUS),
        values_of('sort', @SORT);

    none($db, 'hub: games', qq{
        SELECT game, status, sort, page
          FROM (SELECT *, ''::text AS fee, ''::text AS prize,
                       NULL::text AS q, timestamptz '$NOW' AS now,
                       1 + n % 3 AS page, 4 AS per_page
                  FROM (SELECT *, row_number() OVER ()::int AS n
                          FROM $combinations) c) c
         WHERE $HUB_DIFFERS});

    none($db, 'hub: every page', qq{
        SELECT page
          FROM (SELECT NULL::text AS game, NULL::text AS status,
                       NULL::text AS fee, NULL::text AS prize,
                       NULL::text AS sort, NULL::text AS q,
                       timestamptz '$NOW' AS now, page, 7 AS per_page
                  FROM generate_series(1, 40) AS page) c
         WHERE $HUB_DIFFERS});

    return;
}


# "o" is in the most, and some mean something to LIKE.

my @WORDS = ('cup', 'CUP', 'a tournament of', 'VALORANT', 'o', '%', '_',
    '\\', '"', "'", '<', '🏆', 'ঢাকা', "\t", 'nope', '!', "\\'", '%%', 'Cup-2',
    'ঢা', 'ÅBO');


sub search {
    my ($db) = @_;

    my $combinations = join ', ',
        values_of('q', map { $pg->quote($_) } @WORDS),
        values_of('status', 'NULL', q{'open'}, q{'completed'}),
        values_of('sort', 'NULL', q{'popular'}, q{'prize_low'});

    none($db, 'hub: text search', qq{
        SELECT q, status, sort, page
          FROM (SELECT *, NULL::text AS game, NULL::text AS fee,
                       NULL::text AS prize, timestamptz '$NOW' AS now,
                       1 + n % 2 AS page, 3 AS per_page
                  FROM (SELECT *, row_number() OVER ()::int AS n
                          FROM $combinations) c) c
         WHERE $HUB_DIFFERS});

    return;
}


subtest 'the interface' => sub {
    my $db = database();

    for my $name (sort keys %INTERFACE) {
        my ($parameters, @columns) = @{ $INTERFACE{$name} };

        is $db->value(qq{
            SELECT regexp_replace(
                       pg_get_function_result('tournament_api.$name'::regproc),
                       '^TABLE\\(|\\)\$', '', 'g')}),
            join(', ', @columns), "columns of $name";

        # As the module prepares it

        my $n = () = $parameters =~ /[^,]+/g;

        $db->rows("PREPARE $name AS SELECT * FROM tournament_api.$name("
            . join(', ', map { "\$$_" } 1 .. $n) . ')');

        is $db->value(qq{
            SELECT array_to_string(parameter_types, ',')
              FROM pg_prepared_statements WHERE name = '$name'}),
            $parameters, "parameters of $name";
    }
};


subtest 'demonstration data' => sub {
    my $db = database(demo => 1);

    all_functions($db);
    timelines($db);

    # The same from the index of text search

    $db->rows('CREATE EXTENSION pg_trgm');
    $pg->load('install', -dbname => $db->{name});
    $db->rows('SET enable_seqscan = off; SET enable_indexscan = off;
               SET enable_indexonlyscan = off');
    search($db);
};


# What is the same letter, says ILIKE: with some of the letters in ASCII alone,
# whether few match or many, with the index of trigrams and without.

subtest 'letters' => sub {
    my $db = database();

    $db->rows(q{
        INSERT INTO tournaments_tournament (name, slug, game,
               short_description, status, created_at, updated_at,
               groups_published)
        SELECT w.name, 'a' || w.n || '-' || c.n, w.game, w.text, 'PUBLISHED',
               now(), now(), false
          FROM (VALUES (1, E'\u0130stanbul Kup', 'a', NULL),
                       (2, E'5\u212A RUN', 'B', ''),
                       (3, 'x', E'\u212Aing', 'y'),
                       (4, 'x', 'y', E'Na\u00EFve \u0130'),
                       (5, 'STRASSE', 'y', E'STRA\u1E9EE stra\u00DFe'),
                       (6, 'x', 'y', E'\u039F\u0394\u039F\u03A3'),
                       (7, 'Istanbul King Run', 'Five', 'NAIVE plain')
                       ) AS w (n, name, game, text),
               generate_series(1, 20) AS c (n)});

    my $words = values_of('q', map { $pg->quote($_) }
        'i', 'istanbul', 'ISTANBUL', "\x{130}STAN", 'k', '5k', '5k run',
        "5\x{212A}", "\x{212A}ing", 'king', 'KING', 'run', 'naive',
        "na\x{ef}ve", "NA\x{cf}VE \x{130}", 'strasse', "stra\x{df}e",
        "STRA\x{1e9e}E", "\x{3bf}\x{3b4}\x{3bf}\x{3c3}",
        "\x{3bf}\x{3b4}\x{3bf}\x{3c2}", 'x', 'xy', "x\x01y", 'yx');

    for my $trigrams (0, 1) {
        if ($trigrams) {
            $db->rows('CREATE EXTENSION pg_trgm');
            $pg->load('install', -dbname => $db->{name});
        }

        # A table of which a quarter matches, and one of which little does

        for my $more (0, 1) {
            $db->rows(q{
                INSERT INTO tournaments_tournament (name, slug, game, status,
                       created_at, updated_at, groups_published)
                SELECT '-', gen_random_uuid(), '-', 'PUBLISHED', now(), now(),
                       false
                  FROM generate_series(1, 2000)}) if $more;
            $db->rows('ANALYZE');

            none($db, "trigrams $trigrams, more rows $more", qq{
                SELECT q, h.total_count, o.n
                  FROM $words
                 CROSS JOIN LATERAL (
                       SELECT count(*) FROM tournaments_tournament
                        WHERE name ILIKE '%' || q || '%'
                           OR game ILIKE '%' || q || '%'
                           OR short_description ILIKE '%' || q || '%') o (n)
                 CROSS JOIN LATERAL tournament_api.hub('', '', '', '', '', q,
                                                       1, 1) h
                 WHERE h.total_count <> o.n});

            $db->rows(q{DELETE FROM tournaments_tournament WHERE name = '-'});
        }
    }
};


# Rows as only other writers make them. Ids of an int column end at 2^31.

sub odd_rows {
    my ($db, $base) = @_;

    my $now = "timestamptz '$NOW'";

    $db->rows(qq{
        SET search_path = "$db->{tables}";
        SET session_replication_role = replica;

        CREATE FUNCTION pg_temp.instant(n int) RETURNS timestamptz
        LANGUAGE sql AS \$\$
            SELECT (ARRAY[
                NULL, $now, $now, $now, 'infinity',
                '-infinity', '0044-03-15 12:00:00+00 BC',
                '4714-11-24 00:00:00+00 BC',
                '294276-12-31 23:59:59.999999+00', $now, $now, NULL,
                $now])[1 + n % 13]
                + (ARRAY['0', '0', '1 microsecond', '-1 microsecond', '0',
                         '0', '0', '0', '0', '3 days 04:05:06.789',
                         '-3 days', '0', '1 hour']::interval[])[1 + n % 13]
        \$\$;

        CREATE FUNCTION pg_temp.word(n int) RETURNS text
        LANGUAGE sql AS \$\$
            SELECT (ARRAY[
                '', E'O''Hara "XI" \\\\ % _',
                E'tab\\there\\nline\\x01\\x7f\\u2028',
                'Åbo 🏆 ঢাকা', repeat('🏆', 70), '</script>', 'Plain',
                'null'])[1 + n % 8]
        \$\$;

        INSERT INTO user_profile_userprofile (id, user_id, display_name,
               is_private, email, phone, facebook, discord, created_at)
        SELECT $base + n, $base + 1000 + n, pg_temp.word(n), n % 3 = 0,
               'SECRET-email', 'SECRET-phone', 'SECRET-facebook',
               'SECRET-discord', $now
          FROM generate_series(1, 40) n;

        -- Two names among three, so that ids decide (and not which row is
        -- found first); some without captain

        INSERT INTO teams_team (id, name, tag, game, captain_id)
        SELECT $base + n, (ARRAY['Same', 'Same', E'"X"\\t🏆'])[1 + n % 3],
               left(pg_temp.word(n), 10),
               (ARRAY['a', 'b', 'c', 'A'])[1 + n % 4],
               CASE WHEN n % 4 > 0 THEN $base + 1 + n * 3 % 40 END
          FROM generate_series(12, 1, -1) n;

        -- Some twice in a team, some in several, the last four in none. Not
        -- every captain has the role, and some had it once.

        INSERT INTO teams_teammembership (team_id, profile_id, role, status,
               joined_at)
        SELECT $base + 1 + n * 7 % 12, $base + 1 + n % 30,
               (ARRAY['PLAYER', 'CAPTAIN', 'SUBSTITUTE', ''])[1 + n % 4],
               (ARRAY['ACTIVE', 'INVITED', 'ACTIVE', 'REMOVED', 'ACTIVE',
                      'active', ''])[1 + n % 7], $now
          FROM generate_series(1, 130) n
        UNION ALL
        SELECT $base + 5, $base + 1 + n % 3, 'PLAYER', 'ACTIVE', $now
          FROM generate_series(1, 6) n
        UNION ALL
        SELECT id, captain_id, 'PLAYER', 'ACTIVE', $now
          FROM teams_team WHERE captain_id % 2 = 0
        UNION ALL
        SELECT $base + 2, $base + 31 + n % 6,
               (ARRAY['PLAYER', 'CAPTAIN'])[1 + n / 6],
               (ARRAY['ACTIVE', 'REMOVED'])[1 + n / 6], $now
          FROM generate_series(0, 11) n;

        INSERT INTO tournaments_tournament (id, name, slug, short_description,
               game, status, banner, slot_size, reg_open_at, reg_close_at,
               start_at, end_at, entry_fee_bdt, prize_pool_bdt, created_at,
               updated_at, groups_published)
        SELECT $base + n,
               CASE WHEN n = 7 THEN repeat('ক', 255)
                    ELSE pg_temp.word(n) || n END,
               CASE WHEN n = 7 THEN repeat('s', 255) ELSE 'odd-' || n END,
               CASE WHEN n % 3 > 0 THEN pg_temp.word(n / 3) END,
               (ARRAY['a', 'b', 'c', '', E'"'])[1 + n % 5],
               (ARRAY['PUBLISHED', 'DRAFT', 'PUBLISHED', 'RUNNING',
                      'PUBLISHED', 'COMPLETED', 'ARCHIVED'])[1 + n % 7],
               (ARRAY[NULL, '', 'banner 🏆.png'])[1 + n % 3],
               (ARRAY[NULL, 0, -1, 1, 2147483647])[1 + n / 3 % 5],
               pg_temp.instant(n), pg_temp.instant(n / 2 + 1),
               pg_temp.instant(n / 3), pg_temp.instant(n / 5),
               (ARRAY[NULL, 0, 'NaN', 0.01, 99999999.99, -5,
                      0.00]::numeric[])[1 + n / 2 % 7],
               (ARRAY[NULL, 0, 'NaN', 9999.99, 10000, 49999.99, 50000, -1,
                      9999999999.99, 0.01]::numeric[])[1 + n / 2 % 10],
               coalesce(pg_temp.instant(n / 4), $now)
               - interval '168:00' * (n % 2)
                 * CASE WHEN n / 4 % 13 = 7 THEN 0 ELSE 1 END,
               $now, false
          FROM generate_series(0, 259) n;

        -- Many of the same instant

        INSERT INTO tournaments_tournament (id, name, slug, game, status,
               created_at, updated_at, groups_published)
        SELECT $base + n, 'z', 'many-' || n, 'z',
               (ARRAY['PUBLISHED', 'RUNNING'])[1 + n % 2], $now, $now, false
          FROM generate_series(270, 281) n;

        INSERT INTO tournaments_tournamentsettings (tournament_id,
               tournament_type, description, start_at, end_at, reg_open_at,
               reg_close_at, min_team_size, max_team_size, prize_pool_bdt,
               prize_distribution_text, banner, rules_pdf,
               stream_facebook_url, stream_youtube_url, discord_url,
               auto_check_in, check_in_open_mins, check_in_close_mins,
               bkash_receive_number, nagad_receive_number,
               rocket_receive_number, bank_instructions, created_at,
               updated_at)
        SELECT $base + n, (ARRAY['SE', '', NULL])[1 + n % 3],
               pg_temp.word(n), pg_temp.instant(n / 7), pg_temp.instant(n / 9),
               pg_temp.instant(n + 3), pg_temp.instant(n / 4),
               (ARRAY[NULL, 0, 1, 2, -32768])[1 + n % 5],
               (ARRAY[NULL, 1, 32767, 0])[1 + n / 2 % 4],
               (ARRAY[NULL, 0, 2147483647, -2147483648])[1 + n / 3 % 4],
               pg_temp.word(n / 2),
               (ARRAY[NULL, '', 'settings'])[1 + n / 2 % 3],
               (ARRAY[NULL, '', 'rules'])[1 + n % 3],
               (ARRAY[NULL, '', 'facebook'])[1 + n / 3 % 3],
               (ARRAY[NULL, '', 'youtube'])[1 + n / 4 % 3],
               (ARRAY[NULL, '', 'discord'])[1 + n / 5 % 3],
               (ARRAY[NULL, true, false])[1 + n / 4 % 3],
               (ARRAY[NULL, 0, 30, 2147483647, -2147483648])[1 + n % 5],
               (ARRAY[NULL, 10, 0])[1 + n % 3],
               'SECRET-bkash', 'SECRET-nagad', 'SECRET-rocket', 'SECRET-bank',
               $now, $now
          FROM generate_series(0, 259) n WHERE n % 4 > 0;

        INSERT INTO tournaments_registration (tournament_id, user_id, team_id,
               payment_method, payment_sender, payment_reference,
               payment_status, status, created_at)
        SELECT $base + n,
               CASE WHEN p % 9 > 0 OR p > 12 THEN $base + p END,
               CASE WHEN p <= 12 AND ((n + p) % 3 = 0 OR p % 9 = 0)
                    THEN $base + p END,
               'SECRET-method', 'SECRET-sender', 'SECRET-reference',
               (ARRAY['pending', 'verified', 'rejected', ''])[1 + n % 4],
               CASE WHEN p = 39 THEN 'PENDING'
                    ELSE (ARRAY['CONFIRMED', 'PENDING', 'CONFIRMED',
                                'CANCELLED', 'WAITLIST',
                                'confirmed'])[1 + (n + p) % 6] END,
               CASE (p < 5)::int * n * p % 11
                    WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity'
                    WHEN 3 THEN '294276-12-31 23:59:59.999999+00'
                    ELSE $now - interval '720:00'
                         + interval '1 microsecond' * (p % 5 - 2) END
          FROM generate_series(0, 259) n, generate_series(1, 40) p
         WHERE n * p % 7 < 3 AND n % 10 > 0;

        INSERT INTO tournaments_registrationrequest (tournament_id, team_id,
               requester_id, captain_id, status, created_at, expires_at)
        SELECT $base + n % 260, $base + 1 + n % 12, $base + 1 + n / 3 % 40,
               $base + 1, (ARRAY['PENDING', 'APPROVED', 'PENDING', 'EXPIRED',
                                 'REJECTED'])[1 + n % 5], $now, $now
          FROM generate_series(1, 3000) n;

        INSERT INTO tournaments_registrationrequest (tournament_id, team_id,
               requester_id, captain_id, status, created_at, expires_at)
        SELECT DISTINCT t.id, m.team_id, m.profile_id, m.profile_id,
               'PENDING', $now, $now
          FROM tournaments_tournament t, teams_teammembership m
         WHERE (t.id + m.id) % 5 = 0;

        RESET session_replication_role});

    $db->rows(qq{
        INSERT INTO tournaments_schedule (tournament_id, check_in_open_mins,
               check_in_close_mins)
        SELECT $base + n,
               (ARRAY[NULL, 0, -1, 2147483647, -2147483648, 60])[1 + n / 3 % 6],
               (ARRAY[NULL, 15, 2147483647])[1 + n / 9 % 3]
          FROM generate_series(0, 259, 3) n})
        if has_schedules($db);

    return;
}


subtest 'odd rows' => sub {
    my $db = database();

    odd_rows($db, 4294967296);
    all_functions($db);
    timelines($db);

    # Only what never comes is left.

    is_deeply [ $db->rows(q{
        SELECT DISTINCT total_count > 0, valid_until
          FROM (VALUES ('open', ''), ('upcoming', ''), ('upcoming',
                       'starting_soon'), ('', 'starting_soon'))
                    AS c (status, sort),
               tournament_api.hub('', c.status, '', '', c.sort, '', 1, 1,
                                  '294276-12-31 23:59:59.999999Z')}) ],
        [ [ 't', undef ] ],
        'infinity is no boundary';
    is_deeply [ $db->rows(q{
        SELECT DISTINCT players_this_month > 0, valid_until
          FROM tournament_api.platform_stats('294276-11-01Z')}) ],
        [ [ 't', undef ] ],
        'and the end of the calendar is none to calculate with';
};


# Other types, another schema, no schedules, more columns that must be given,
# and numbers without a scale.

sub variant {
    my $text = slurp(project('sql', 'schema.sql'));

    $text =~ s/\bbigserial\b/serial/g;
    $text =~ s/\bbigint\b/integer/g;
    $text =~ s/\bvarchar\(\d+\)/text/g;
    $text =~ s/\bnumeric\(\d+,2\)/numeric/g;
    $text =~ s/(groups_published .*)/$1, auto_schedule boolean NOT NULL/
        or die;
    $text =~ s/^CREATE TABLE IF NOT EXISTS tournaments_schedule.*?^\);\n//ms
        or die;
    $text =~ s/^COMMIT;/ALTER TABLE tournaments_tournament
        ALTER auto_schedule SET DEFAULT false;\n$&/m or die;

    return spew(tempdir() . '/variant.sql', $text);
}


subtest 'other tables' => sub {
    my %other = (schema => variant(), tables_schema => "App's Data");
    my $db    = database(%other, demo => 1);

    all_functions($db);

    $db = database(%other);

    odd_rows($db, 2147480000);
    $db->rows(q{
        UPDATE tournaments_tournament
           SET prize_pool_bdt = CASE WHEN id % 2 = 0 THEN 'Infinity'
                                     ELSE '-Infinity' END::numeric
         WHERE id % 37 = 0;
        UPDATE tournaments_tournament
           SET entry_fee_bdt = CASE WHEN id % 2 = 0 THEN 'Infinity'
                                    ELSE 0.005 END::numeric
         WHERE id % 31 = 0});
    all_functions($db);
};


# install.sql again finds the table that a migration has made, and lost.

subtest 'schedules come and go' => sub {
    my $db   = database(demo => 1);
    my $mins = q{SELECT check_in_required,
                        start_at - check_in_open_at,
                        start_at - check_in_close_at
                   FROM tournament_api.detail('%s') WHERE NOT related};

    my @now = map { [ $db->row(sprintf $mins, $_) ] }
        qw(five-a-side valorant-masters valorant-night-cup);

    is_deeply \@now, [ [ 't', '01:30:00', '00:15:00' ],
                       [ 't', '01:00:00', '00:10:00' ],
                       [ 'f', '02:00:00', undef ] ],
        'of the schedules';

    $db->rows('ALTER TABLE tournaments_schedule RENAME TO elsewhere');
    $pg->load('install', -dbname => $db->{name});

    my @without = map { [ $db->row(sprintf $mins, $_) ] }
        qw(five-a-side valorant-masters valorant-night-cup);

    is_deeply \@without, [ [ 't', '00:45:00', '00:15:00' ],
                           [ 't', '00:30:00', '00:10:00' ],
                           [ 'f', undef, undef ] ],
        'of the settings, without';

    $db->rows('ALTER TABLE elsewhere RENAME TO tournaments_schedule');
    $pg->load('install', -dbname => $db->{name});

    is_deeply [ map { [ $db->row(sprintf $mins, $_) ] }
                qw(five-a-side valorant-masters valorant-night-cup) ],
        \@now, 'of the schedules again';
};


# hub is made of two, which a cache may keep for times of their own.

subtest 'the order of a page, and its cards' => sub {
    my $db = database();

    $pg->load('demo', -dbname => $db->{name});
    all_functions($db);

    my $hub   = q{SELECT * FROM tournament_api.hub('', '', '', '',
                                                   'popular', '', 2, 5)};
    my $order = q{tournament_api.hub_order('', '', '', '', 'popular', '',
                                           2, 5)};
    my @ids   = map { $_->[4] } $db->rows($hub);

    is_deeply [ $db->rows("SELECT total_count, page, per_page, valid_until,
               c.* FROM $order o, tournament_api.hub_cards(o.ids) c") ],
        [ $db->rows($hub) ], 'make the hub';
    is $db->value("SELECT ids FROM $order"), '{' . join(',', @ids) . '}',
        'the order is of ids';

    $db->rows("UPDATE tournaments_tournament SET status = 'DRAFT'
                WHERE id = $ids[1]");
    is_deeply [ map { $_->[0] } $db->rows("SELECT * FROM
        tournament_api.hub_cards('{$ids[2],$ids[1],999999,$ids[0]}')") ],
        [ @ids[2, 0] ], 'cards come as asked, and no draft, whatever the age '
        . 'of the order';
};


subtest 'empty tables' => sub {
    my $db = database();

    all_functions($db);

    is_deeply [ $db->row(qq{SELECT * FROM tournament_api.hub(
                  '', '', '', '', '', '', 5, 12)}) ],
        [ 0, 1, 12, (undef) x 19 ], 'hub has a row';
    is_deeply [ $db->row('SELECT * FROM tournament_api.platform_stats()') ],
        [ (0) x 5, (undef) x 3 ], 'platform_stats has a row';
    is_deeply [ $db->row(
        'SELECT * FROM tournament_api.user_registrations(1)') ],
        [ undef, '{}', (undef) x 23, 0, 0 ], 'user_registrations has a row';
};


# One tournament at a time, for its instants to be the next, to the second.

subtest 'valid_until' => sub {
    my $db = database();

    $db->rows("SET timezone = 'UTC';
               INSERT INTO user_profile_userprofile (id, user_id,
                      display_name, is_private, email, phone, facebook,
                      discord, created_at)
               VALUES (1, 1, '', false, '', '', '', '', now())");

    my $next = sub {
        my ($call, $columns, $registration) = @_;

        my %columns = (created_at => '2020-01-01Z', %$columns);
        my @names   = sort keys %columns;

        $db->rows('BEGIN');
        $db->rows('INSERT INTO tournaments_tournament (id, name, slug, game,
                       updated_at, groups_published, ' . join(', ', @names)
            . ") VALUES (1, 'a', 'a', 'a', now(), false, "
            . join(', ', map { "'$columns{$_}'" } @names) . ')');
        $db->rows("INSERT INTO tournaments_registration (tournament_id,
                       user_id, payment_method, payment_sender,
                       payment_reference, payment_status, status, created_at)
                   VALUES (1, 1, '', '', '', '', '$registration->[0]',
                           '$registration->[1]')") if $registration;

        my $value = $db->value("SELECT valid_until FROM tournament_api.$call");

        $db->rows('ROLLBACK');

        return $value;
    };

    my ($soon, $late) = ('2026-11-24 01:02:03.5+00', '2026-12-24 00:00:00+00');
    my $second        = '2026-11-24 01:02:04+00';
    my $past          = '2026-11-20 00:00:00+00';
    my %published     = (status => 'PUBLISHED');

    my $hub = sub {
        my ($status, $sort, $columns) = @_;

        return $next->("hub('', '$status', '', '', '$sort', '', 1, 12,
                            '$NOW')", $columns);
    };

    for my $case (
        [ 'open', '', { %published, reg_open_at => $soon,
                        reg_close_at => $late }, $second, 'opens' ],
        [ 'open', '', { %published, reg_open_at => $past,
                        reg_close_at => $soon },
          $second, 'closes after that' ],
        [ 'open', '', { %published, reg_open_at => $past,
                        reg_close_at => $NOW },
          '2026-11-23 07:12:01+00', 'closes after this moment' ],
        [ 'open', '', { %published, reg_open_at => $past,
                        reg_close_at => $past }, undef, 'is closed' ],
        [ 'open', '', { status => 'RUNNING', reg_open_at => $soon,
                        reg_close_at => $late }, undef, 'another status' ],
        [ 'upcoming', '', { %published, start_at => $soon }, $second,
          'starts' ],
        [ 'upcoming', '', { %published, start_at => $NOW }, undef,
          'has started' ],
        [ '', 'starting_soon', { status => 'RUNNING', start_at => $soon },
          $second, 'starts, and goes after that' ],
        [ '', 'starting_soon', { %published, start_at => $NOW },
          '2026-11-23 07:12:01+00', 'starts, and goes after this' ],
        [ '', 'starting_soon', { %published, start_at => $past }, undef,
          'is gone' ],
        [ 'upcoming', 'starting_soon', { %published, start_at => $soon },
          $second, 'the first of two' ],
        [ 'open', 'starting_soon', { %published, reg_open_at => $past,
                                     reg_close_at => $late,
                                     start_at => $soon },
          $second, 'goes before it closes' ],
        [ '', '', { %published, start_at => $soon, reg_open_at => $soon,
                    reg_close_at => $soon }, undef, 'stays' ],
    ) {
        my ($status, $sort, $columns, $expected, $name) = @$case;

        is $hub->($status, $sort, $columns), $expected,
            "hub, $status $sort: $name";
    }

    for my $case (
        [ { %published, start_at => $soon }, $second,
          'active until after the start' ],
        [ { status => 'RUNNING', start_at => $soon, prize_pool_bdt => 5 },
          $second, 'its prize counts from the start on' ],
        [ { status => 'COMPLETED', start_at => $past, prize_pool_bdt => 5 },
          '2026-12-20 00:00:01+00', 'for a month' ],
        [ { status => 'COMPLETED', start_at => '2026-10-24 07:12:00+00',
            prize_pool_bdt => 5 }, '2026-11-23 07:12:01+00',
          'to its last moment' ],
        [ { status => 'COMPLETED', start_at => $past }, undef,
          'without a prize' ],
        [ { %published, created_at => $past },
          '2026-11-27 00:00:01+00', 'new for a week' ],
        [ { status => 'COMPLETED', created_at => $past }, undef,
          'new, and completed' ],
        [ { status => 'COMPLETED' }, '2026-12-20 00:00:01+00',
          'a player for a month', [ 'CONFIRMED', $past ] ],
        [ { status => 'COMPLETED' }, undef, 'not yet a player',
          [ 'PENDING', $past ] ],
        [ { status => 'COMPLETED' }, undef, 'no longer a player',
          [ 'CONFIRMED', '2026-10-24 07:11:59.999999+00' ] ],
        [ { status => 'DRAFT', start_at => $soon, prize_pool_bdt => 5,
            created_at => $past }, undef, 'a draft' ],
    ) {
        my ($columns, $expected, $name, $registration) = @$case;

        is $next->("platform_stats('$NOW')", $columns, $registration),
            $expected, "platform_stats: $name";
    }
};


# Drafts have a state, for the pages that preview them, and are nowhere else
# but with who is registered already.

subtest 'drafts' => sub {
    my $db = database(demo => 1);

    for my $slug (qw(draft-in-window secret-plans empty-draft)) {
        my @seen = map { $_->[0] } $db->rows(qq{
            SELECT 'state' FROM tournament_api.state('$slug')
            UNION ALL SELECT 'states' FROM tournament_api.states('{$slug}')
            UNION ALL SELECT 'detail' FROM tournament_api.detail('$slug')
            UNION ALL SELECT 'count' FROM tournament_api.count('$slug')
            UNION ALL SELECT 'context'
              FROM tournament_api.registration_context(1001, '$slug')
            UNION ALL SELECT 'participants'
              FROM tournament_api.participants('$slug')});

        is "@seen", 'state states context', "$slug";
    }

    none($db, 'in no list', qq{
        SELECT h.slug
          FROM @{[ values_of('status', @STATUS) ]},
               tournament_api.hub(NULL, status, NULL, NULL, NULL, NULL, 1,
                                  100, '$NOW') h
         WHERE h.status = 'DRAFT'
        UNION ALL
        SELECT d.slug
          FROM tournaments_tournament t, tournament_api.detail(t.slug) d
         WHERE d.status = 'DRAFT'});

    is $db->value(qq{
        SELECT string_agg(DISTINCT r.slug, ' ')
          FROM user_profile_userprofile p,
               tournament_api.user_registrations(p.user_id) r
         WHERE r.status = 'DRAFT'}), 'draft-in-window',
        'a registration is shown to its owner';

    my $stats = q{SELECT jsonb_agg(s) FROM tournament_api.platform_stats(
                      '} . $NOW . q{') s};
    my $before = $db->value($stats);

    $db->rows(qq{
        INSERT INTO tournaments_tournament (name, slug, game, status,
               start_at, prize_pool_bdt, created_at, updated_at,
               groups_published)
        SELECT 'x', 'x' || n, 'cs2', 'DRAFT',
               timestamptz '$NOW' + make_interval(days => n), 5, '$NOW',
               '$NOW', false
          FROM generate_series(-5, 5) n});
    is $db->value($stats), $before, 'in no figure';
};


subtest 'arguments of hub' => sub {
    my $db = database(demo => 1);

    my $heads = sub {
        my ($arguments) = @_;

        return join ' ', map { $_ // 'null' } $db->row(qq{
            SELECT total_count, page, per_page, count(*)
              FROM tournament_api.hub($arguments, '$NOW') GROUP BY 1, 2, 3});
    };

    is $heads->('NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL'),
        '33 1 12 12', 'none: the first twelve';
    is $heads->(q{'', '', '', '', '', '', 1, 12}), '33 1 12 12',
        'empty ones are none';
    is $heads->(q{'', '', '', '', '', '', 3, 12}), '33 3 12 9',
        'the last page';
    is $heads->(q{'', '', '', '', '', '', 2147483647, 100}), '33 1 100 33',
        'a page past the end';
    is $heads->(q{'', '', '', '', '', '', 2147483647, 1}), '33 33 1 1',
        'past many';
    is $heads->(q{'', '', '', '', '', '', -5, 0}), '33 1 1 1',
        'numbers that are too small';
    is $heads->(q{'', '', '', '', '', '', 1, 1000}), '33 1 100 33',
        'and too large';
    is $heads->(q{'nope', '', '', '', '', '', 9, 12}), '0 1 12 1',
        'nothing matches';
    is $heads->(q{'', 'open', '', '', '', 'without window', 1, 12}),
        '0 1 12 1', 'what is found is not open';

    for my $bad ([ 2, 'status' ], [ 3, 'fee' ], [ 4, 'prize' ],
                 [ 5, 'sort' ])
    {
        my @arguments = (q{''}) x 6;

        $arguments[$bad->[0] - 1] = q{'Newest'};

        ok !eval { $heads->(join ', ', @arguments, 1, 12); 1 },
            "a bad $bad->[1]";
        like $@, qr/hub: no such $bad->[1]$/m, 'is an error';
    }

    # What a client sends is never a part of a statement

    for my $i (1, 6) {
        my @arguments = (q{''}) x 6;

        $arguments[$i - 1] = q{$q$'; SELECT 1/0; -- %s $1 {} \\$q$};

        is $heads->(join ', ', @arguments, 1, 12), '0 1 12 1',
            'quotes are text';
    }
};


# What a site sets for its database or a role.

subtest 'settings of a session' => sub {
    my $db = database(demo => 1);

    expectations($db);

    # The clocks went back on the first of November.

    my $instants = q{'2026-11-23 07:30:00+00', '2026-11-22 23:30:00+00'};

    $db->rows(qq{
        UPDATE tournaments_registration
           SET created_at = timestamptz '2026-11-22 23:00:00+00'
                            - interval '720:00'
         WHERE id % 2 = 0});

    my $sql = qq{
        SELECT i, extract(epoch FROM s.valid_until), s.players_this_month
          FROM unnest(ARRAY[$instants]::timestamptz[]) i,
               tournament_api.platform_stats(i) s};
    my @utc = $db->rows($sql);

    for my $set ("timezone = 'America/New_York'", q{datestyle = 'SQL, DMY'},
                 q{intervalstyle = 'iso_8601'},
                 'standard_conforming_strings = off',
                 'search_path = pg_temp', 'work_mem = 64',
                 q{lc_numeric = 'C'}, 'extra_float_digits = 0')
    {
        $db->rows("BEGIN; SET LOCAL $set");

        is_deeply [ map { [ @$_[1, 2] ] } $db->rows($sql) ],
            [ map { [ @$_[1, 2] ] } @utc ], "platform_stats, $set";

        is $db->value(qq{
            SELECT count(*) FROM tournament_api.hub('', '', '', '', '',
                       \$q\$"Night" Cup \\ \$q\$, 1, 12, '2026-11-23Z')}), 1,
            "hub, $set";

        $db->rows('ROLLBACK');
    }
};


# Whatever the arguments are. What must not leave begins with SECRET-.

subtest 'secrets' => sub {
    my @secret = qw(payment_method payment_sender payment_reference
        bkash_receive_number nagad_receive_number rocket_receive_number
        bank_instructions email phone payment_verified_by_id avatar logo
        invite_only);

    for my $db (database(demo => 1), database()) {
        odd_rows($db, 4294967296)
            if !$db->value('SELECT count(*) FROM tournaments_tournament');

        my $texts = q{
            SELECT proname, word
              FROM pg_proc, regexp_matches(prosrc, '[a-z_]+', 'g') AS m (m),
                   LATERAL (SELECT m[1]) AS w (word)
             WHERE pronamespace = 'tournament_api'::regnamespace
               AND prosrc ~ '\mBEGIN\M'};

        cmp_ok $db->value("SELECT count(*) FROM ($texts) t"), '>', 500,
            'words of the functions';
        none($db, 'no secret column among them',
            "$texts AND word IN (" . join(', ', map { "'$_'" } @secret)
            . ')');
        none($db, 'nor one of a profile that other columns are called', q{
            SELECT proname FROM pg_proc
             WHERE pronamespace = 'tournament_api'::regnamespace
               AND prosrc ~ '[a-z]\.(facebook|discord)\M'});

        my $all = qq{
            SELECT s::text AS text
              FROM public.tournaments_tournament t,
                   tournament_api.state(t.slug) s
            UNION ALL
            SELECT s::text
              FROM tournament_api.states(
                  (SELECT array_agg(slug::text)
                     FROM public.tournaments_tournament)) s
            UNION ALL
            SELECT s::text
              FROM @{[ values_of('status', @STATUS) ]},
                   generate_series(1, 3) page,
                   tournament_api.hub('', status, '', '', '', '', page, 100,
                                      '$NOW') s
            UNION ALL
            SELECT s::text
              FROM tournament_api.hub('', '', '', '', '', 'SECRET', 1, 100) s
            UNION ALL
            SELECT s::text
              FROM public.tournaments_tournament t,
                   tournament_api.detail(t.slug) s
            UNION ALL
            SELECT s::text
              FROM public.tournaments_tournament t,
                   tournament_api.count(t.slug) s
            UNION ALL
            SELECT s::text
              FROM public.tournaments_tournament t,
                   tournament_api.participants(t.slug) s
            UNION ALL
            SELECT s::text
              FROM public.tournaments_tournament t,
                   public.user_profile_userprofile p,
                   tournament_api.registration_context(p.user_id, t.slug) s
             WHERE (t.id + p.id) % 7 = 0
            UNION ALL
            SELECT s::text
              FROM public.user_profile_userprofile p,
                   tournament_api.user_registrations(p.user_id) s
            UNION ALL
            SELECT s::text FROM tournament_api.platform_stats('$NOW') s};

        cmp_ok $db->value("SELECT count(*) FROM ($all) a"), '>', 800,
            'rows of the functions';
        none($db, 'have no secret in them',
            "SELECT * FROM ($all) a WHERE text ILIKE '%secret-%'
                AND text NOT LIKE '%secret-plans%'");
    }
};


# Planned for the arguments at hand, and once for all, as after some calls.
# auto_explain shows the plans of the statements inside the functions.

subtest 'plans on large tables' => sub {
    my $db = database();

    # VACUUM cannot mark as visible what an asynchronous commit wrote.

    $db->rows(qq{
        SET synchronous_commit = on;
        SET session_replication_role = replica;
        INSERT INTO user_profile_userprofile (user_id, display_name,
               is_private, email, phone, facebook, discord, created_at)
        SELECT 1000000 + n, 'Player ' || n, n % 7 = 0, '', '', '', '', now()
          FROM generate_series(1, 20000) n;
        INSERT INTO teams_team (name, tag, game, captain_id)
        SELECT 'Team ' || n, 'T' || n, 'game' || n % 8, n * 5
          FROM generate_series(1, 4000) n;
        INSERT INTO teams_teammembership (team_id, profile_id, role, status,
               joined_at)
        SELECT n / 5, n, CASE n % 5 WHEN 0 THEN 'CAPTAIN' ELSE 'PLAYER' END,
               'ACTIVE', now()
          FROM generate_series(5, 19999) n;
        INSERT INTO tournaments_tournament (name, slug, short_description,
               game, status, slot_size, reg_open_at, reg_close_at, start_at,
               entry_fee_bdt, prize_pool_bdt, created_at, updated_at,
               groups_published)
        SELECT 'Tournament ' || md5(n::text), 'tournament-' || n,
               repeat('Some words about it. ', n % 9), 'game' || n % 8,
               (ARRAY['PUBLISHED', 'COMPLETED', 'RUNNING', 'DRAFT',
                      'COMPLETED'])[1 + n % 5], 16,
               now() + make_interval(hours => n % 2000 - 1200),
               now() + make_interval(hours => n % 2000 - 800),
               now() + make_interval(hours => n % 2000 - 600), n % 3 * 50,
               nullif(n % 5, 0) * 12000, now() - make_interval(mins => n),
               now(), false
          FROM generate_series(1, 10000) n;
        INSERT INTO tournaments_tournamentsettings (tournament_id,
               min_team_size, max_team_size, created_at, updated_at)
        SELECT n, 1, 1 + n % 2 * 4, now(), now()
          FROM generate_series(1, 10000, 3) n;
        INSERT INTO tournaments_schedule (tournament_id, check_in_open_mins)
        SELECT n, 60 FROM generate_series(1, 10000, 7) n;
        INSERT INTO tournaments_registrationrequest (tournament_id, team_id,
               requester_id, captain_id, status, created_at, expires_at)
        SELECT 1 + n % 10000, 1 + n % 4000, 1 + n % 20000, 1, 'PENDING',
               now(), now()
          FROM generate_series(1, 20000) n});

    for (my $n = 0; $n < $REGISTRATIONS; $n += 100_000) {
        $db->rows(qq{
            INSERT INTO tournaments_registration (tournament_id, user_id,
                   team_id, payment_method, payment_sender, payment_reference,
                   payment_status, status, created_at)
            SELECT 1 + n % 10000,
                   CASE WHEN n % 20 > 0
                        THEN 1 + (n * 7 + n / 10000) % 20000 END,
                   CASE WHEN n % 10 = 0
                        THEN 1 + (n / 10 * 7 + n / 10000) % 4000 END,
                   'a method', 'a sender', 'a reference', 'verified',
                   (ARRAY['CONFIRMED', 'CONFIRMED', 'PENDING',
                          'CANCELLED'])[1 + n % 7 % 4],
                   now() - make_interval(mins => n * 131 % 525600)
              FROM generate_series($n + 1, $n + 100000) n});
    }

    $db->rows('RESET session_replication_role');

    # Autovacuum's part
    $db->rows('VACUUM ANALYZE');

    $db->rows(q{
        LOAD 'auto_explain';
        SET auto_explain.log_nested_statements = on;
        SET auto_explain.log_min_duration = 0});

    # Plans of the statements in a call, and how many blocks they read

    my $plans = sub {
        my ($call) = @_;

        my ($name) = $call =~ /^(\w+)/;

        $pg->log_mark;

        my $json = join '', map { $_->[0] } $db->rows(
            "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON)
             SELECT * FROM tournament_api.$call");
        my ($rows)   = $json =~ /"Actual Rows": (\d+)/;
        my ($hit)    = $json =~ /"Shared Hit Blocks": (\d+)/;
        my ($read)   = $json =~ /"Shared Read Blocks": (\d+)/;

        # The caller's own plan is logged last.

        $pg->wait_for_log(qr/Function Scan on \Q$name\E/);

        return ($pg->log_since, $rows, $hit + $read);
    };

    my $slug = q{'tournament-4711'};

    # Of those that look at a tournament or a user: what they find, and in how
    # many blocks at most. It does not depend on the size of the tables, but on
    # what belongs to the one.

    my $each  = $REGISTRATIONS / 10000;
    my %small = (
        "state($slug)"   => [ 1, 40 ],
        "states(ARRAY[$slug, 'tournament-5', 'nope'])" => [ 2, 80 ],
        "count($slug)"   => [ 1, 40 ],
        "detail($slug)"  => [ 5, 150 ],
        "participants($slug)" => [ undef, 60 + 15 * $each ],
        "registration_context(1004710, $slug)" => [ 1, 100 + $each ],
        "registration_context(7, $slug)"       => [ 1, 60 ],
        'user_registrations(1004710)' => [ undef, 100 + 70 * $each ],
    );

    for my $mode (qw(force_custom_plan force_generic_plan)) {
        $db->rows("SET plan_cache_mode = $mode; DISCARD PLANS");

        for my $call (sort keys %small) {
            my ($wanted, $blocks) = @{ $small{$call} };

            $plans->($call);    # catalogs are read the first time

            my ($plan, $rows, $n) = $plans->($call);

            is $rows, $wanted, "rows of $call" if defined $wanted;
            cmp_ok $rows, '>', 1, "rows of $call" if !defined $wanted;
            unlike $plan, qr/Seq Scan/,
                "no table is read from end to end, $mode";
            cmp_ok $n, '<', $blocks, 'nor much of any';
            like $plan, qr/using tournament_api_related/,
                'the newest of a game are in an index' if $call =~ /^detail/;
        }
    }

    # Other processes cost nothing here, and yet

    $db->rows('RESET plan_cache_mode;
               SET min_parallel_index_scan_size = 0;
               SET min_parallel_table_scan_size = 0;
               SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0');

    my $combinations = join ', ', values_of('game', 'NULL', q{'game3'},
                                            q{'nope'}),
        values_of('status', @STATUS), values_of('fee', @FEE),
        values_of('prize', @PRIZE), values_of('sort', @SORT);

    # All in one: the log is long, and quickly searched

    $pg->log_mark;
    is $db->value(qq{
        SELECT count(DISTINCT (h.total_count, h.slug)) > 100
          FROM $combinations,
               tournament_api.hub(game, status, fee, prize, sort, '', 1, 12) h
         WHERE sort IS DISTINCT FROM 'popular' OR fee IS NULL}), 't',
        'every filter with every sort';
    $db->value('SELECT * FROM tournament_api.platform_stats()');
    $pg->wait_for_log(qr/Function Scan on platform_stats/);

    my $log = $pg->log_since;

    unlike $log, qr/Seq Scan/,
        'reads no table from end to end';
    unlike $log, qr/Gather/, 'and keeps no other process busy';

    my $count = () = $log =~ /^\s+Query Text: SELECT count\(\*\) FILTER/mg;

    cmp_ok $count, '>', 800, 'as the log shows';

    unlike join("\n", grep { /tournaments_registration r/ }
                      split /\n/, $log),
        qr/^(?!.*Index Only Scan|.*Query Text|.*SELECT|.*FROM)/m,
        'registrations are counted in their index';

    # A page of the default order is read from the index, and no further

    my ($plan, $rows, $blocks) = $plans->(
        q{hub('', '', '', '', '', '', 1, 12)});

    is $rows, 12, 'a page';
    cmp_ok $blocks, '<', 400, 'is some blocks';
    like $plan, qr/Index Only Scan using tournament_api_status_game/,
        'the smallest index has the count';
    like $plan, qr/Limit.*\n.*Incremental\ Sort.*\n.*\n.*\n
                   .*Index\ Only\ Scan\ using\ tournament_api_hub/x,
        'the index gives the order';

    # Text search: registrations not even then

    my @search = (q{hub('', '', '', '', '', 'TOURNAMENT a1b2', 1, 12)},
                  q{hub('', 'open', '', '', 'popular', 'words', 1, 12)});

    for my $call (@search) {
        ($plan) = $plans->($call);
        unlike $plan, qr/Seq Scan on tournaments_registration/,
            'text search does not read the registrations';
    }

    $db->rows('CREATE EXTENSION pg_trgm');
    $pg->load('install', -dbname => $db->{name});
    ($plan) = $plans->($search[0]);
    like $plan, qr/Bitmap Index Scan on tournament_api_text/,
        'text search uses its index';
    unlike $plan, qr/Seq Scan/,
        'and reads no table from end to end';
};


done_testing;

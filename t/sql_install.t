# install.sql and uninstall.sql in a site's database: what they make, what
# they leave alone, who may use it, and what state() says.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Tournament::Postgres;
use Tournament::Util qw(project run run_ok slurp spew tempdir);

my $pg = Tournament::Postgres->new(load => []);

my @TABLES = qw(
    tournaments_tournament tournaments_tournamentsettings
    tournaments_registration tournaments_registrationrequest
    user_profile_userprofile teams_team teams_teammembership
);

# What install.sql makes beside the indexes of schema.sql

my $INCLUDED = '(id, game, created_at, reg_open_at, reg_close_at, '
    . 'entry_fee_bdt, prize_pool_bdt)';

my @INDEXES = (
    'tournament_api_hub tournaments_tournament (status, start_at DESC) '
        . "INCLUDE $INCLUDED",
    'tournament_api_reg_recent tournaments_registration (created_at) '
        . q{INCLUDE (user_id) WHERE status = 'CONFIRMED'},
    'tournament_api_reg_status tournaments_registration (status)',
    'tournament_api_reg_tournament_status tournaments_registration '
        . '(tournament_id, status)',
    'tournament_api_related tournaments_tournament '
        . '(game, status, created_at DESC)',
    'tournament_api_status_game tournaments_tournament (status, game)',
);

my @STATE = (
    'id bigint', 'status text', 'slot_size bigint',
    'reg_open_at timestamp with time zone',
    'reg_close_at timestamp with time zone',
    'start_at timestamp with time zone', 'min_team_size integer',
    'max_team_size integer', 'confirmed bigint', 'slug text',
);

# What the module calls, what these call, and what says which version it is

my @FUNCTIONS = map { "tournament_api.$_" } (
    'count(text)', 'detail(text)', 'feed()', 'hub_cards(bigint[])',
    (map { "$_(text,text,text,text,text,text,integer,integer,"
           . 'timestamp with time zone)' } qw(hub hub_order)),
    'participants(text)',
    'platform_stats(timestamp with time zone)',
    'registration_context(bigint,text)', 'state(text)', 'states(text[])', 'warm()',
    'user_registrations(bigint)', 'version()',
);

my $databases = 0;


# A new database with the tables of schema.sql, or of another file of tables,
# and perhaps demo data. Returns a session in it.

sub database {
    my (%options) = @_;

    my $name   = 'site' . ++$databases;
    my %tables = $options{tables_schema}
        ? (tables_schema => $options{tables_schema}) : ();

    $pg->psql("CREATE DATABASE $name");
    $pg->load($options{schema} // 'schema', -dbname => $name, %tables);
    $pg->load('demo', -dbname => $name, %tables) if $options{demo};

    my $session = $pg->session(dbname => $name);

    $session->{name} = $name;

    return $session;
}


sub install {
    my ($db, %vars) = @_;

    return $pg->load('install', -dbname => $db->{name}, %vars);
}


sub uninstall {
    my ($db, %vars) = @_;

    return $pg->load('uninstall', -dbname => $db->{name}, %vars);
}


# The message of what must fail.

sub failure (&) {
    my ($code) = @_;

    return eval { $code->(); 1 } ? 'no failure' : $@;
}


# Everything that the catalogs hold of a database, as pg_dump writes it, and
# what pg_dump leaves out.

sub catalog {
    my ($db) = @_;

    my $dump = run_ok({}, Tournament::Postgres::client('pg_dump'),
        '--schema-only',
        $pg->conninfo(user => 'postgres', dbname => $db->{name}));

    # A random key that newer versions put in.

    $dump =~ s/^\\(?:un)?restrict .*\n//mg;

    return $dump . join "\n", indexes($db, '%');
}


# The same with what tells a new object from the one that was there.

sub identity {
    my ($db) = @_;

    return catalog($db) . join "\n", map { join ' ', @$_ } $db->rows(q{
        SELECT oid, relname, relfilenode FROM pg_class WHERE oid >= 16384
        UNION ALL
        SELECT oid, proname, 0 FROM pg_proc WHERE oid >= 16384
         ORDER BY 1});
}


# Indexes as "name table (columns)", invalid ones marked.

sub indexes {
    my ($db, $like) = @_;

    return map {
        my ($name, $table, $definition, $valid) = @$_;

        $definition =~ s/.*? USING (?:btree )?//;
        $definition =~ s/\(\(status\)::text = ('\w+')::text\)$/status = $1/;

        "$name $table $definition" . ($valid eq 't' ? '' : ' INVALID')
    } $db->rows(qq{
        SELECT c.relname, t.relname, pg_get_indexdef(c.oid), i.indisvalid
          FROM pg_index i
          JOIN pg_class c ON c.oid = i.indexrelid
          JOIN pg_class t ON t.oid = i.indrelid
          JOIN pg_namespace n ON n.oid = t.relnamespace
         WHERE c.relname LIKE '$like'
           AND n.nspname NOT IN ('pg_catalog', 'pg_toast',
                                 'tournament_api')
         ORDER BY c.relname COLLATE "C"});
}


sub ours { return indexes($_[0], 'tournament\\_api\\_%') }


# Result columns of a function, "name type" each.

sub columns {
    my ($db, $function) = @_;

    return split /, /, $db->value(qq{
        SELECT regexp_replace(
                   pg_get_function_result('tournament_api.$function'::regproc),
                   '^TABLE\\(|\\)\$', '', 'g')});
}


# Functions that a role may execute.

sub executable {
    my ($db, $role) = @_;

    return map { $_->[0] } $db->rows(qq{
        SELECT oid::regprocedure::text FROM pg_proc
         WHERE pronamespace = 'tournament_api'::regnamespace
           AND has_function_privilege('$role', oid, 'EXECUTE')
         ORDER BY oid::regprocedure::text COLLATE "C"});
}


# A role's attempt to run code with the rights of a trigger function's owner:
# a table whose id is of a type of the role's own, with a cast to bigint.

sub trap_sql {
    my ($schema, @functions) = @_;

    return join ';', qq{
        CREATE TYPE $schema.bait AS (n int);
        CREATE FUNCTION $schema.caught($schema.bait) RETURNS bigint
        LANGUAGE plpgsql AS 'BEGIN
            INSERT INTO $schema.seen VALUES (current_user); RETURN 1; END';
        CREATE CAST ($schema.bait AS bigint)
            WITH FUNCTION $schema.caught($schema.bait);
        CREATE TABLE $schema.seen (who text);
        GRANT ALL ON $schema.seen TO PUBLIC;
        CREATE TABLE $schema.trap (id $schema.bait)},
        map { qq{
        CREATE TRIGGER t$_ AFTER INSERT ON $schema.trap
               REFERENCING NEW TABLE AS changed
               FOR EACH STATEMENT EXECUTE FUNCTION tournament_api.$_()}
        } @functions;
}


# What state() should say, written another way, for every slug.

sub expected_state {
    my ($tables) = @_;

    return qq{
        SELECT t.slug, t.id, t.status, t.slot_size,
               CASE WHEN s.reg_open_at IS NULL THEN t.reg_open_at
                    ELSE s.reg_open_at END,
               CASE WHEN s.reg_close_at IS NULL THEN t.reg_close_at
                    ELSE s.reg_close_at END,
               CASE WHEN t.start_at IS NULL THEN s.start_at
                    ELSE t.start_at END,
               s.min_team_size, s.max_team_size, coalesce(r.n, 0)
          FROM $tables.tournaments_tournament t
          LEFT JOIN $tables.tournaments_tournamentsettings s
                 ON t.id = s.tournament_id
          LEFT JOIN (SELECT tournament_id,
                            sum((status = 'CONFIRMED')::int) AS n
                       FROM $tables.tournaments_registration
                      GROUP BY tournament_id) r
                 ON r.tournament_id = t.id};
}


sub state_is_right {
    my ($db, $tables, $what) = @_;

    my $expected = expected_state($tables);
    my $actual = qq{
        SELECT t.slug, s.id, s.status, s.slot_size, s.reg_open_at,
               s.reg_close_at, s.start_at, s.min_team_size, s.max_team_size,
               s.confirmed
          FROM $tables.tournaments_tournament t
         CROSS JOIN LATERAL tournament_api.state(t.slug) s};

    my @rows = $db->rows("$actual ORDER BY 1");

    is_deeply \@rows, [ $db->rows("$expected ORDER BY 1") ], $what;

    return scalar @rows;
}


subtest 'a fresh install' => sub {
    my $db = database(demo => 1);

    install($db);

    is_deeply [ ours($db) ], \@INDEXES, 'indexes that the site has not';
    is_deeply [ columns($db, 'state') ], \@STATE,
        'the columns that the module reads';
    is $db->value('SELECT tournament_api.version()'), 5, 'its version';

    is state_is_right($db, 'public', 'state of every tournament'), 40,
        'drafts too';
    is_deeply [ $db->rows(q{SELECT * FROM tournament_api.state('nope')}) ],
        [], 'no row for a slug that does not exist';
    is_deeply [ $db->rows('SELECT * FROM tournament_api.state(NULL)') ], [],
        'nor for none';
    is_deeply [ $db->rows(
        q{SELECT * FROM tournament_api.state('VALORANT-masters')}) ], [],
        'nor for one in other letters';

    is $db->value(q{
        SELECT count(*) FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE relkind IN ('v', 'm') AND n.nspname IN ('public',
                                                       'tournament_api')}),
        0, 'no view';
    is_deeply [ $db->rows(q{
        SELECT proname FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
         WHERE p.pronamespace = 'tournament_api'::regnamespace
           AND (prosecdef <> (prorettype <> 'trigger'::regtype)
                OR prosecdef <> ('search_path=pg_catalog, pg_temp'
                                 = ANY (coalesce(proconfig, '{}')))
                OR lanname <> 'plpgsql'
                OR prosqlbody IS NOT NULL)}) ], [],
        'each function is plpgsql in a string; those that are read have '
        . 'their owner\'s rights and a fixed search_path, triggers neither';
};


# A read that wrote would fail on a standby, wait for a lost synchronous one,
# and grow a table of ours.

subtest 'a read writes nothing' => sub {
    my $db = database(demo => 1);

    install($db);
    is $db->value(q{SELECT count(*) FROM pg_class
                     WHERE relnamespace = 'tournament_api'::regnamespace}), 0,
        'there is nothing to write to';

    for my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE') {
        $db->rows("BEGIN ISOLATION LEVEL $level READ ONLY");
        $db->rows(qq{
            SELECT FROM tournament_api.state('valorant-masters');
            SELECT FROM tournament_api.states('{valorant-masters}');
            SELECT FROM tournament_api.warm();
            SELECT FROM tournament_api.hub('', '', '', '', '$_', '', 1, 12);
            SELECT FROM tournament_api.detail('valorant-masters');
            SELECT FROM tournament_api.count('valorant-masters');
            SELECT FROM tournament_api.registration_context(1, 'busy-bees');
            SELECT FROM tournament_api.participants('valorant-masters');
            SELECT FROM tournament_api.user_registrations(1);
            SELECT FROM tournament_api.platform_stats()}) for '', 'popular';
        is $db->value('SELECT pg_current_xact_id_if_assigned()'), undef,
            $level;
        $db->rows('COMMIT');
    }
};


subtest 'a second run changes nothing' => sub {
    my $db = database();

    $pg->create_role('second');

    install($db, role => 'second');

    my $before = identity($db);

    install($db, role => 'second');
    is identity($db), $before, 'with the same role';

    install($db);
    is identity($db), $before, 'and with none';
};


subtest 'rights' => sub {
    my $db = database(demo => 1);

    $pg->create_role($_) for 'reader', 'Odd Name', 'stranger', 'ear';

    install($db, role => 'reader');
    install($db, role => 'Odd Name');

    for my $role ('reader', 'Odd Name') {
        my $nginx = $pg->session(user => $role, dbname => $db->{name});

        is $nginx->value(
            q{SELECT confirmed FROM tournament_api.state('valorant-masters')}),
            3, "$role calls a function";

        for my $table (@TABLES, 'tournaments_schedule') {
            like failure { $nginx->rows("SELECT FROM $table") },
                qr/permission denied for table $table/,
                "$role does not read $table";
        }

        is_deeply [ executable($db, $role) ], [ sort @FUNCTIONS ],
            "$role may call what is read, and no trigger's function";
        like failure { $nginx->rows('CREATE TABLE tournament_api.t ()') },
            qr/permission denied for schema/, "$role makes nothing there";
    }

    install($db, listener => 'ear');
    is_deeply [ executable($db, 'ear') ],
        [ map { "tournament_api.$_()" } qw(feed version) ],
        'who listens may ask what is installed';

    my $stranger = $pg->session(user => 'stranger', dbname => $db->{name});

    like failure { $stranger->rows(q{SELECT tournament_api.state('a')}) },
        qr/permission denied for schema tournament_api/,
        'another role calls nothing';
    is $db->value(q{
        SELECT count(*) FROM pg_proc
         WHERE pronamespace = 'tournament_api'::regnamespace
           AND has_function_privilege('stranger', oid, 'EXECUTE')}), 0,
        'and could not if it had the schema';

    $db->rows('CREATE SCHEMA r AUTHORIZATION reader');

    my $reader = $pg->session(user => 'reader', dbname => $db->{name});

    like failure { $reader->rows(trap_sql('r', 'announce_tournament')) },
        qr/permission denied for function tournament_api\.announce_tournament/,
        'nobody makes triggers of our functions';

    like failure { install($db, role => 'nobody at all') },
        qr/role "nobody at all" does not exist\n.*CREATE ROLE/,
        'a role that does not exist is named';
};


# An older version gave all functions to the role, which may have made use of
# that: its triggers stay, whatever becomes of its rights.

subtest 'rights that an older version gave' => sub {
    my $db = database();

    $pg->create_role('keen');
    install($db, role => 'keen');

    $db->rows(q{
        CREATE FUNCTION tournament_api.notify_tournament() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN
            PERFORM c.id::bigint FROM changed c; RETURN NULL; END';
        CREATE FUNCTION tournament_api.notify_team() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NULL; END';
        CREATE SCHEMA keen AUTHORIZATION keen;
        CREATE FUNCTION tournament_api.of_the_site() RETURNS int
        LANGUAGE sql AS 'SELECT 7';
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA tournament_api TO keen
              WITH GRANT OPTION;
        GRANT ALL ON SCHEMA tournament_api TO keen;
        ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO keen;
        CREATE TRIGGER tournament_api_older AFTER INSERT
            ON tournaments_tournament REFERENCING NEW TABLE AS changed
           FOR EACH STATEMENT
               EXECUTE FUNCTION tournament_api.notify_tournament();
        DROP FUNCTION tournament_api.announce_team() CASCADE});

    my $keen = $pg->session(user => 'keen', dbname => $db->{name});

    $keen->rows(trap_sql('keen', 'notify_tournament'));
    $keen->rows('INSERT INTO keen.trap VALUES (ROW(1))');
    is_deeply [ $db->rows('SELECT * FROM keen.seen') ], [['postgres']],
        'it ran code as the owner';

    for my $run (1, 2) {
        install($db);
        is_deeply [ executable($db, 'keen') ],
            [ sort @FUNCTIONS, 'tournament_api.of_the_site()' ],
            'it may call what is read, and what the site gave it';
        is $db->value(q{
            SELECT string_agg(proname, ' ') FROM pg_proc
             WHERE pronamespace = 'tournament_api'::regnamespace
               AND starts_with(proname, 'notify_')}), 'notify_tournament',
            'of the older functions the one stays that it still uses';

        $keen->rows('TRUNCATE keen.seen;
                     INSERT INTO keen.trap VALUES (ROW(1))');
        is_deeply [ $db->rows('SELECT * FROM keen.seen') ], [],
            'which no longer runs anything';
    }

    like failure { $keen->rows('CREATE TABLE tournament_api.t ()') },
        qr/permission denied for schema/, 'and it makes nothing there';

    $db->rows('DROP TABLE keen.trap');
    install($db);
    is $db->value(q{SELECT to_regproc('tournament_api.notify_tournament')}),
        undef, 'the function goes with the trigger';
    uninstall($db);
    $db->rows('ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM keen;
               DROP OWNED BY keen CASCADE; DROP ROLE keen');
};


subtest 'tables of somebody else' => sub {
    my $db     = database(demo => 1);
    my $owners = sub {
        $db->value(q{
            SELECT string_agg(DISTINCT proowner::regrole::text, ' ')
              FROM pg_proc
             WHERE pronamespace = 'tournament_api'::regnamespace})
    };

    $pg->create_role($_) for qw(owner1 owner2 planter);
    $db->rows(join ';', 'GRANT ALL ON SCHEMA public TO planter, owner1, owner2',
        'DROP TABLE tournaments_schedule',
        map { "ALTER TABLE $_ OWNER TO owner1" } @TABLES);

    # A view over a function of the planter's, where a table may be missing

    my $planter = $pg->session(user => 'planter', dbname => $db->{name});

    $planter->rows(q{
        CREATE TABLE public.seen (who text);
        GRANT ALL ON public.seen TO PUBLIC;
        CREATE FUNCTION public.bait() RETURNS bigint
        LANGUAGE plpgsql AS 'BEGIN
            INSERT INTO public.seen VALUES (current_user); RETURN 1; END';
        CREATE VIEW tournaments_schedule AS
        SELECT bait() AS tournament_id, 1 AS check_in_open_mins,
               1 AS check_in_close_mins;
        GRANT ALL ON tournaments_schedule TO PUBLIC});

    for my $what ('VIEW', 'TABLE') {
        $pg->log_mark;
        install($db);
        $pg->wait_for_log(qr/WARNING:  left out: tournaments_schedule/);
        $pg->wait_for_log(qr/WARNING:  others than the tables' owner may crea/);
        $db->rows(q{SELECT tournament_api.detail('valorant-masters')});
        is_deeply [ $db->rows('SELECT * FROM seen') ], [],
            "a $what that is planted is not read";

        $planter->rows('DROP VIEW tournaments_schedule;
            CREATE TABLE tournaments_schedule (tournament_id bigint,
                check_in_open_mins int, check_in_close_mins int)')
            if $what eq 'VIEW';
    }

    $planter->rows('DROP TABLE tournaments_schedule');

    # Of several owners, none is right.

    $db->rows('ALTER TABLE teams_team OWNER TO owner2');
    like failure { install($db) }, qr/belong to several roles: owner1 \(.*\), owner2 \(teams_team\)
HINT: .*OWNER TO/,
        'several owners are named';
    is $owners->(), 'owner1', 'and nothing changes';

    # The tables change hands.

    $db->rows(join ';', "GRANT CREATE ON DATABASE $db->{name} TO owner2",
        map { "ALTER TABLE $_ OWNER TO owner2" } @TABLES);
    like failure { install($db, -user => 'owner2') },
        qr/schema tournament_api does not belong to "owner2".*
HINT:  Run this as a superuser/, 'the new owner needs a superuser for once';
    install($db, role => 'planter');
    is $owners->(), 'owner2', 'who gives the new owner everything';
    install($db, -user => 'owner2');
    is $pg->session(user => 'planter', dbname => $db->{name})->value(
        q{SELECT count(*) FROM tournament_api.state('valorant-masters')}), 1,
        'as before';

    # A schema, and functions of our names, that were there first

    uninstall($db);
    $db->rows('CREATE SCHEMA tournament_api AUTHORIZATION planter');
    $planter->rows(q{
        CREATE FUNCTION tournament_api.state(p_slug text) RETURNS int
        LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
        CREATE FUNCTION tournament_api.announce_team() RETURNS trigger
        LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''caught''; END'});
    install($db);
    is $owners->(), 'owner2', 'are taken over';
    is failure { $db->rows(q{UPDATE teams_team SET name = 'x'}) },
        'no failure', 'and replaced';
    like failure { $planter->rows('DROP FUNCTION
        tournament_api.state(text)') }, qr/permission denied|must be owner/,
        'and no longer the planter\'s';
};


subtest 'nothing that others create is found first' => sub {
    my $db = database(demo => 1);

    # Closer matches than pg_catalog's, in a schema that once was everybody's.

    $db->rows(q{
        CREATE FUNCTION public.trap(varchar, text) RETURNS boolean
        LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
        CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = text,
                                  FUNCTION = public.trap)});

    install($db);

    $db->rows('CREATE TEMP TABLE tournaments_tournament (slug text)');

    like failure {
        $db->rows(q{SELECT FROM public.tournaments_tournament
                     WHERE slug = 'a'::text})
    }, qr/trapped/, 'the trap is set';

    is $db->value(
        q{SELECT id FROM tournament_api.state('valorant-masters')}), 1,
        'and a function does not step into it';
};


subtest 'an upgrade' => sub {
    my $db = database(demo => 1);

    $pg->create_role($_) for qw(nginx1 nginx2 nginx3);

    # What an older version might have left: other columns, other parameters,
    # an index that no longer is wanted; and rights that were given since.

    $db->rows(q{
        CREATE SCHEMA tournament_api;
        CREATE FUNCTION tournament_api.state(p text)
        RETURNS TABLE (id int, status text)
        LANGUAGE sql AS 'SELECT 1, $1';
        CREATE FUNCTION tournament_api.state(p_slug text, p_now timestamptz)
        RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION tournament_api.of_the_site() RETURNS int
        LANGUAGE sql AS 'SELECT 7';
        GRANT USAGE ON SCHEMA tournament_api TO nginx1, nginx2;
        GRANT EXECUTE ON FUNCTION tournament_api.state(text) TO nginx1;
        GRANT EXECUTE ON FUNCTION tournament_api.state(text) TO nginx3
              WITH GRANT OPTION;
        CREATE INDEX tournament_api_older
            ON tournaments_tournamentsettings (start_at);
        CREATE TABLE tournament_api.registered (tournament_id bigint);
        CREATE TABLE tournament_api.registered_change (tournament_id bigint);
        CREATE FUNCTION tournament_api.count_registration() RETURNS trigger
        LANGUAGE plpgsql AS 'BEGIN INSERT INTO
            tournament_api.registered_change VALUES (1); RETURN NULL; END';
        CREATE TRIGGER tournament_api_count_insert AFTER INSERT
            ON tournaments_registration FOR EACH STATEMENT
               EXECUTE FUNCTION tournament_api.count_registration()});

    # A reader at work, who must see the old one or the new one.

    my $reader = $pg->session(user => 'nginx1', dbname => $db->{name});

    $reader->rows('PREPARE q (text) AS '
        . 'SELECT id FROM tournament_api.state($1)');
    is $reader->value(q{EXECUTE q ('valorant-night-cup')}), 1,
        'the older function';

    install($db);

    is_deeply [ columns($db, 'state') ], \@STATE, 'has the new columns';
    is_deeply [ $db->rows(q{
        SELECT oid::regprocedure::text FROM pg_proc
         WHERE pronamespace = 'tournament_api'::regnamespace
           AND prorettype <> 'trigger'::regtype ORDER BY 1}) ],
        [ map { [ $_ ] } sort @FUNCTIONS, 'tournament_api.of_the_site()' ],
        'the older form is gone, a function of the site\'s is not';
    is_deeply [ $db->rows(q{
        SELECT r.rolname, a.is_grantable
          FROM pg_proc p CROSS JOIN LATERAL aclexplode(proacl) a
          LEFT JOIN pg_roles r ON r.oid = a.grantee
         WHERE p.oid = 'tournament_api.state(text)'::regprocedure
         ORDER BY 1}) ],
        [ ['nginx1', 'f'], ['nginx3', 't'], ['postgres', 'f'] ],
        'who could call it can, and PUBLIC no longer';
    is_deeply [ $db->rows(q{
        SELECT r.rolname
          FROM pg_proc p CROSS JOIN LATERAL aclexplode(proacl) a
          LEFT JOIN pg_roles r ON r.oid = a.grantee
         WHERE p.oid = 'tournament_api.version()'::regprocedure
         ORDER BY 1}) ], [ ['nginx1'], ['postgres'] ],
        'a new function is for whoever reads already';
    is_deeply [ ours($db) ], \@INDEXES, 'the older index is gone';
    is_deeply [ $db->rows(q{
        SELECT relname FROM pg_class
         WHERE relnamespace = 'tournament_api'::regnamespace
        UNION ALL
        SELECT tgname FROM pg_trigger
         WHERE starts_with(tgname, 'tournament_api_count')}) ], [],
        'so are tables and triggers that counted';

    like failure { $reader->rows(q{EXECUTE q ('valorant-night-cup')}) },
        qr/cached plan must not change result type/,
        'a statement prepared before is refused, not answered wrongly';

    $reader->rows('DEALLOCATE q; PREPARE q (text) AS '
        . 'SELECT id FROM tournament_api.state($1)');
    is $reader->value(q{EXECUTE q ('valorant-night-cup')}), 2,
        'prepared again, it is the new function';

    install($db);
    is $reader->value(q{EXECUTE q ('valorant-night-cup')}), 2,
        'and a run that changes no columns does not disturb it';
};


# The upgrade's transaction, held open at its end, while others read.

subtest 'readers during an upgrade' => sub {
    my $db = database(demo => 1);

    $db->rows(q{
        CREATE SCHEMA tournament_api;
        CREATE FUNCTION tournament_api.state(p text)
        RETURNS TABLE (id int, status text)
        LANGUAGE sql AS 'SELECT 77, $1'});

    my $text = Tournament::Postgres::sql_text(project('sql', 'install.sql'));

    $text =~ s/\nCOMMIT;\n.*/\n/s or die 'no transaction in install.sql';

    my $upgrade = $pg->session(dbname => $db->{name});

    $upgrade->rows("\\i '" . spew(tempdir() . '/half.sql', $text) . "'");

    is_deeply [ $db->rows(
        q{SELECT * FROM tournament_api.state('valorant-masters')}) ],
        [ [ 77, 'valorant-masters' ] ], 'before the commit: the older one';

    like failure { install($db) },
        qr/another install\.sql or uninstall\.sql is running/,
        'a second run at the same time is refused';
    like failure { uninstall($db) },
        qr/another install\.sql or uninstall\.sql is running/,
        'so is taking it out';

    $upgrade->rows('COMMIT');

    is $db->value(q{SELECT id FROM tournament_api.state('valorant-masters')}),
        1, 'after it: the new one';
};


subtest 'indexes of the site' => sub {
    my $db = database();

    $db->rows(qq{
        CREATE INDEX site_status ON tournaments_registration (status);
        CREATE INDEX site_pair ON tournaments_registration
            (tournament_id DESC, status DESC) INCLUDE (created_at);
        CREATE INDEX site_recent ON tournaments_registration
            (created_at DESC) INCLUDE (id, user_id)
         WHERE (status = 'CONFIRMED');
        CREATE INDEX site_start ON tournaments_tournament
            (status, start_at DESC) INCLUDE $INCLUDED WITH (fillfactor = 80);
        CREATE UNIQUE INDEX site_game ON tournaments_tournament
            (status, game) INCLUDE (name);
        CREATE INDEX site_newest ON tournaments_tournament
            (game DESC, status DESC, created_at)});

    my $before = join "\n", indexes($db, '%');

    install($db);

    is join("\n", indexes($db, '%')), $before, 'equivalent ones do';

    # None of these serves in place of what is wanted.

    $db->rows(qq{
        DROP INDEX site_status, site_pair, site_recent, site_start, site_game,
                   site_newest;
        ALTER TABLE tournaments_tournament
            DROP CONSTRAINT tournaments_tournament_slug_key;
        CREATE INDEX site_partial ON tournaments_registration (status)
         WHERE status = 'PENDING';
        CREATE INDEX site_hash ON tournaments_registration USING hash (status);
        CREATE INDEX site_like ON tournaments_registration
            (status varchar_pattern_ops);
        CREATE INDEX site_c ON tournaments_registration
            (status COLLATE "POSIX");
        CREATE INDEX site_longer ON tournaments_registration
            (status, created_at);
        CREATE INDEX site_lower ON tournaments_registration (lower(status));
        CREATE INDEX site_order ON tournaments_registration
            (status, tournament_id);
        CREATE INDEX site_asc ON tournaments_tournament
            (status, start_at) INCLUDE $INCLUDED;
        CREATE INDEX site_nulls ON tournaments_tournament
            (status, start_at DESC NULLS LAST) INCLUDE $INCLUDED;
        CREATE INDEX site_start ON tournaments_tournament
            (status, start_at DESC);
        CREATE INDEX site_less ON tournaments_tournament
            (status, start_at DESC) INCLUDE (id, game);
        CREATE INDEX site_keys ON tournaments_tournament
            (game, status, created_at DESC, id);
        CREATE INDEX site_upper ON tournaments_tournament
            (status, upper(game));
        CREATE INDEX site_all ON tournaments_registration
            (created_at) INCLUDE (user_id);
        CREATE INDEX site_other ON tournaments_registration
            (created_at) INCLUDE (user_id) WHERE status = 'PENDING';
        CREATE INDEX site_both ON tournaments_registration
            (created_at) INCLUDE (user_id)
         WHERE status = 'CONFIRMED' AND user_id IS NOT NULL;
        CREATE INDEX site_without ON tournaments_registration
            (created_at) WHERE status = 'CONFIRMED'});

    install($db);

    is_deeply [ ours($db) ],
        [ @INDEXES[0 .. 4],
          'tournament_api_slug tournaments_tournament (slug)', $INDEXES[5] ],
        'others do not';

    $before = identity($db);
    install($db);
    is identity($db), $before, 'and that is settled';
};


# The extension may be in any schema, come later, and go.

subtest 'an index for text search' => sub {
    my $db   = database();
    my $text = 'tournament_api_text tournaments_tournament gin '
        . '(name "Ext".gin_trgm_ops, game "Ext".gin_trgm_ops, '
        . 'short_description "Ext".gin_trgm_ops)';

    install($db);
    is_deeply [ ours($db) ], \@INDEXES, 'not without the extension';

    $db->rows('CREATE SCHEMA "Ext"; CREATE EXTENSION pg_trgm SCHEMA "Ext"');
    install($db);
    is_deeply [ ours($db) ], [ @INDEXES, $text ], 'once it is there';

    my $before = identity($db);
    install($db);
    is identity($db), $before, 'and once only';

    $db->rows('DROP INDEX tournament_api_text;
               CREATE INDEX site_text ON tournaments_tournament USING gin
                   (name "Ext".gin_trgm_ops, game "Ext".gin_trgm_ops,
                    short_description "Ext".gin_trgm_ops);
               CREATE INDEX site_gist ON tournaments_tournament USING gist
                   (name "Ext".gist_trgm_ops)');
    install($db);
    is_deeply [ ours($db) ], \@INDEXES, 'the site\'s own does';

    $db->rows('DROP INDEX site_text, site_gist; DROP EXTENSION pg_trgm');
    install($db);
    is_deeply [ ours($db) ], \@INDEXES, 'without the extension again';
    is $db->value(q{SELECT total_count FROM tournament_api.hub('', '', '', '',
                    '', 'text', 1, 12)}), 0, 'the search goes on';
};


subtest 'left-overs of an interrupted run' => sub {
    my $db = database(demo => 1);

    # A unique index over what is not unique: it fails, and stays INVALID.

    for my $index ('tournament_api_reg_status', 'site_status') {
        like failure {
            $pg->psql("CREATE UNIQUE INDEX CONCURRENTLY $index
                       ON tournaments_registration (status)",
                      -dbname => $db->{name})
        }, qr/could not create unique index/, "$index fails half way";
    }

    # And what a REINDEX CONCURRENTLY that was stopped leaves.

    $db->rows(q{
        CREATE INDEX tournament_api_status_game_ccnew
            ON tournaments_tournament (status, game);
        UPDATE pg_index SET indisvalid = false
         WHERE indexrelid = 'tournament_api_status_game_ccnew'::regclass;
        CREATE INDEX tournament_api_reg_tournament_status
            ON tournaments_registration (tournament_id)});

    is scalar(grep { / INVALID$/ } indexes($db, '%')), 3, 'INVALID indexes';

    install($db);

    is_deeply [ ours($db) ], \@INDEXES, 'ours are whole';
    is_deeply [ grep { / INVALID$/ } indexes($db, '%') ],
        ['site_status tournaments_registration (status) INVALID'],
        'the site\'s is left to the site';
};


# An index that is not made CONCURRENTLY waits for the open transaction, and
# whoever writes waits behind it.

subtest 'the site goes on meanwhile' => sub {
    my $db     = database(demo => 1);
    my $writer = $pg->session(dbname => $db->{name});
    my $other  = $pg->session(dbname => $db->{name});
    my $write  = q{UPDATE tournaments_registration SET status = status
                    WHERE id = %d; UPDATE tournaments_tournament
                      SET status = status WHERE id = %1$d};

    $other->rows(q{SET lock_timeout = '2s'});

    for my $file (qw(install install uninstall)) {

        # In an upgrade, one that no longer is wanted

        $db->rows('CREATE INDEX tournament_api_older
                       ON tournaments_tournament (game)') if ours($db);

        my $operator = $pg->session(dbname => $db->{name});

        $writer->rows('BEGIN; ' . sprintf $write, 1);
        $operator->do("\\i '" . project('sql', "$file.sql") . "'");
        $pg->wait_blocked($operator);

        is failure { $other->rows(sprintf $write, 2) }, 'no failure',
            "$file.sql waits for a transaction, and nobody for it";

        $writer->rows('COMMIT');
        $operator->wait;

        is_deeply [ ours($db) ], $file eq 'install' ? \@INDEXES : [],
            'it ends when that does';
    }
};


subtest 'migrations of the application after an install' => sub {
    my $db = database(demo => 1);

    install($db);

    is $db->value(q{SELECT id FROM tournament_api.state('no-close')}), 16,
        'a plan is kept';

    $db->rows(q{
        ALTER TABLE tournaments_tournament
              ALTER COLUMN slug TYPE varchar(300),
              ALTER COLUMN id TYPE integer,
              DROP COLUMN groups_published,
              ADD COLUMN region varchar(20) NOT NULL DEFAULT 'x';
        ALTER TABLE tournaments_registration
              ALTER COLUMN status TYPE varchar(20),
              DROP COLUMN payment_sender});

    is $db->value(q{SELECT id FROM tournament_api.state('no-close')}), 16,
        'the function goes on, on the same connection';

    install($db);
    state_is_right($db, 'public', 'and after another run');
};


subtest 'uninstall' => sub {
    my $db     = database(demo => 1);
    my $before = catalog($db);

    $pg->create_role('leaving');

    $db->rows(q{CREATE INDEX site_own ON teams_team (tag)});

    my $with = catalog($db);

    install($db, role => 'leaving');
    isnt catalog($db), $with, 'something is there';

    uninstall($db);
    is catalog($db), $with, 'everything is gone but the site\'s own';

    uninstall($db);
    is catalog($db), $with, 'once more';

    $db->rows('DROP INDEX site_own');
    is catalog($db), $before, 'as it was before';

    is $db->value('SELECT count(*) FROM tournaments_tournament'), 40,
        'the contents are there';
    is failure { $db->rows('DROP ROLE leaving') }, 'no failure',
        'the role holds on to nothing';

    install($db);
    is_deeply [ ours($db) ], \@INDEXES, 'it can be installed again';
};


# Tables as another deployment has them: other types, more columns that must
# be given, no schedules, another schema, an owner who is no superuser.

subtest 'other tables' => sub {
    my $text = slurp(project('sql', 'schema.sql'));

    $text =~ s/\bbigserial\b/serial/g;
    $text =~ s/\bbigint\b/integer/g;
    $text =~ s/\bvarchar\(255\)/text/g;
    $text =~ s/^CREATE TABLE IF NOT EXISTS tournaments_schedule.*?^\);\n//ms
        or die 'no schedules in schema.sql';

    my $file = spew(tempdir() . '/variant.sql', $text);
    my $db   = database(schema => $file, tables_schema => 'App Data',
                        demo => 1);

    $pg->create_role('app');
    $pg->create_role('front');
    $db->rows(join ';', 'SET search_path = "App Data"',
        'GRANT ALL ON SCHEMA "App Data" TO app',
        (map { "ALTER TABLE $_ OWNER TO app" } @TABLES),
        'ALTER TABLE tournaments_tournamentsettings
             ADD COLUMN auto_schedule boolean NOT NULL DEFAULT false',
        'ALTER TABLE tournaments_tournamentsettings
             ALTER COLUMN auto_schedule DROP DEFAULT',
        'ALTER TABLE tournaments_registration
             ADD COLUMN checked_in boolean NOT NULL DEFAULT false',
        'ALTER TABLE tournaments_registration
             ALTER COLUMN checked_in DROP DEFAULT');

    like failure { install($db) },
        qr/schema "public" has no table teams_team, .*tournaments_tournament, .*
HINT: .* -v tables_schema=NAME/,
        'tables in another schema must be told';
    is $db->value(q{SELECT to_regnamespace('tournament_api')}), undef,
        'and nothing is made';

    like failure {
        install($db, tables_schema => 'App Data', -user => 'app')
    }, qr/permission denied for database/, 'the owner may need a right';

    $db->rows("GRANT CREATE ON DATABASE $db->{name} TO app");

    # As the owner, then as a superuser, who acts as the owner

    for my $user ('app', 'postgres') {
        install($db, tables_schema => 'App Data', role => 'front',
                -user => $user);

        state_is_right($db, '"App Data"', "state, installed by $user");
        is_deeply [ ours($db) ], \@INDEXES, "indexes, installed by $user";
        is_deeply [ columns($db, 'state') ], \@STATE, 'the same columns';
        is $db->value(q{
            SELECT string_agg(DISTINCT proowner::regrole::text, ' ')
              FROM pg_proc
             WHERE pronamespace = 'tournament_api'::regnamespace}),
            'app', 'functions have the rights of the tables\' owner';

        install($db, role => 'front', -user => $user);
        is $db->value(q{SELECT count(*) FROM pg_trigger
                         WHERE tgname = 'tournament_api_row'}), 7,
            'a later run knows the schema';

        my $front = $pg->session(user => 'front', dbname => $db->{name});

        is $front->value(
            q{SELECT confirmed FROM tournament_api.state('busy-bees')}), 26,
            'for nginx';
        like failure {
            $front->rows('SELECT FROM "App Data".tournaments_tournament')
        }, qr/permission denied/, 'and no more';

        uninstall($db, -user => $user);
        is_deeply [ ours($db) ], [], 'taken out again';
    }

    like failure { install($db, tables_schema => 'App Data',
                           -user => 'front') },
        qr/must be (?:member of|able to SET) role "app"|permission denied/i,
        'somebody else may not';
};


# Values at the edges, as other writers leave them.

subtest 'what is missing' => sub {
    my $db = database();

    install($db);
    $db->rows(q{
        ALTER TABLE tournaments_tournament RENAME banner TO picture;
        ALTER TABLE teams_team DROP COLUMN tag;
        CREATE INDEX tournament_api_older ON teams_team (name);
        DROP TABLE tournaments_registrationrequest});

    my $before = identity($db);

    my $said = failure { install($db) };

    like $said, qr/"public" has no table tournaments_registrationrequest, /,
        'a table';
    like $said, qr/and no column teams_team.tag, tournaments_tournament.bann/,
        'and columns';
    is identity($db), $before, 'and nothing is changed';
};


subtest 'odd rows' => sub {
    my $db = database();

    install($db);

    $db->rows(q{
        INSERT INTO tournaments_tournament (id, name, slug, game, status,
               slot_size, reg_open_at, reg_close_at, start_at, created_at,
               updated_at, groups_published)
        SELECT 4294967296 + n, 'n', 't' || n, 'g',
               (ARRAY['DRAFT', 'PUBLISHED', 'RUNNING', 'COMPLETED', '',
                      'something_longer'])[1 + n % 6],
               (ARRAY[NULL, 0, -1, 1, 2147483647])[1 + n % 5],
               CASE WHEN n % 2 = 0 THEN timestamptz '0001-01-01 00:00:00Z' END,
               CASE WHEN n % 3 = 0 THEN 'infinity'::timestamptz END,
               CASE WHEN n % 4 = 0
                    THEN timestamptz '2026-11-23 07:12:00.123456Z' END,
               now(), now(), false
          FROM generate_series(0, 119) n;
        INSERT INTO tournaments_tournamentsettings (tournament_id,
               reg_open_at, reg_close_at, start_at, min_team_size,
               max_team_size, created_at, updated_at)
        SELECT 4294967296 + n,
               CASE WHEN n % 3 > 0 THEN timestamptz '2026-01-01Z' END,
               CASE WHEN n % 5 > 0 THEN timestamptz '2026-02-01Z' END,
               CASE WHEN n % 7 > 0 THEN timestamptz '2026-03-01Z' END,
               (ARRAY[NULL, 1, 32767, -32768])[1 + n % 4],
               (ARRAY[NULL, 1, 5])[1 + n % 3], now(), now()
          FROM generate_series(0, 119) n WHERE n % 8 <> 3;
        INSERT INTO user_profile_userprofile (id, user_id, display_name,
               is_private, email, phone, facebook, discord, created_at)
        SELECT n, n, 'p', false, '', '', '', '', now()
          FROM generate_series(1, 40) n;
        INSERT INTO tournaments_registration (tournament_id, user_id,
               payment_method, payment_sender, payment_reference,
               payment_status, status, created_at)
        SELECT 4294967296 + n, p, '', '', '', 'pending',
               (ARRAY['PENDING', 'CONFIRMED', 'CANCELLED', 'CONFIRMED',
                      'confirmed'])[1 + (n + p) % 5], now()
          FROM generate_series(0, 119) n, generate_series(1, 40) p
         WHERE p <= n % 41});

    is state_is_right($db, 'public', 'state of each'), 120, 'all of them';
};


done_testing;

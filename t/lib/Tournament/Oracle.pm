package Tournament::Oracle;

# What the API's documents must be, worked out a second time: from the rows of
# the tables as plain SELECTs give them and the rules of the contract, in Perl,
# with nothing of the module's and of schema tournament_api's.
#
#   my $oracle = Tournament::Oracle->new($pg);
#   $oracle->read;                        the tables as they are now
#   is $r->body_text, $oracle->state($slug, $now), ...
#
# $now is in seconds since 1970, an account is its number (undef: anonymous).
# Each returns a whole document as text, byte by byte what is to be sent (as
# characters), or undef where there is none (a 404):
#
#   state($slug, $now, $account)      hub($now, %arguments)
#   states($now, @slugs)              detail($slug, $now)
#   participants($slug, $now)         count($slug)
#   context($slug, $now, $account)    registrations($account, $now)
#   stats($now)
#
#   visible($slug, $now, $account)    whether participants are, to who is no
#                                     staff
#   tournaments                       the rows, as hashes
#   instant($seconds)                 as JSON
#
# Where the contract is silent the choice is named in a comment.

use strict;
use warnings;
use feature qw(fc unicode_strings);

use Carp;
use List::Util qw(max min);

my %COLUMNS = (
    tournaments_tournament => [qw(
        id slug name game status short_description banner slot_size
        reg_open_at reg_close_at start_at end_at entry_fee_bdt prize_pool_bdt
        created_at updated_at)],
    tournaments_tournamentsettings => [qw(
        tournament_id tournament_type description start_at end_at reg_open_at
        reg_close_at min_team_size max_team_size prize_pool_bdt
        prize_distribution_text banner rules_pdf stream_facebook_url
        stream_youtube_url discord_url auto_check_in check_in_open_mins
        check_in_close_mins)],
    tournaments_schedule => [qw(
        tournament_id check_in_open_mins check_in_close_mins)],
    tournaments_registration => [qw(
        id tournament_id user_id team_id status payment_status created_at)],
    tournaments_registrationrequest => [qw(
        tournament_id team_id requester_id status)],
    user_profile_userprofile => [qw(id user_id display_name is_private)],
    teams_team => [qw(id name tag game captain_id)],
    teams_teammembership => [qw(team_id profile_id role status)],
);

my %BUTTON = (
    not_authenticated => [ 'Login to Register',
                           'You must be logged in to register' ],
    registered        => [ "Registered \x{2713}",
                           'You are already registered for this tournament' ],
    completed         => [ 'Tournament Ended', 'This tournament has ended' ],
    started           => [ 'Tournament Started',
                           'Tournament has already begun' ],
    closed            => [ 'Registration Closed',
                           'Registration deadline has passed' ],
    not_open          => [ 'Not Open Yet', 'Registration has not opened yet' ],
    full              => [ 'Tournament Full', 'All slots have been filled' ],
    request_pending   => [ 'Request Pending', undef ],
    request_approval  => [ 'Request Captain Approval',
                           'Only the team captain can register' ],
    no_team           => [ 'Create/Join Team First',
                           'You need to be part of a team to register' ],
    register          => [ 'Register Now', 'Ready to register' ],
);

my @MONTH = qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec);


sub new {
    my ($class, $pg) = @_;

    return bless({ pg => $pg }, $class)->read;
}


sub read {
    my ($self) = @_;

    for my $table (keys %COLUMNS) {
        my @columns = @{ $COLUMNS{$table} };

        # Microseconds since 1970, or Infinity.

        my $list = join ', ', map {
            /_at$/ ? "trunc(extract(epoch FROM $_) * 1000000)" : $_
        } @columns;

        $self->{$table} = [ map {
            my %row;
            @row{@columns} = @$_;
            \%row;
        } $self->{pg}->rows("SELECT $list FROM $table ORDER BY id") ];
    }

    my $by = sub {
        my ($table, $column) = @_;
        return { map { $_->{$column} => $_ } @{ $self->{$table} } };
    };

    $self->{slug}     = $by->('tournaments_tournament', 'slug');
    $self->{by_id}    = $by->('tournaments_tournament', 'id');
    $self->{settings} = $by->('tournaments_tournamentsettings',
                              'tournament_id');
    $self->{schedule} = $by->('tournaments_schedule', 'tournament_id');
    $self->{profile}  = $by->('user_profile_userprofile', 'id');
    $self->{account}  = $by->('user_profile_userprofile', 'user_id');
    $self->{team}     = $by->('teams_team', 'id');

    $self->{of} = {};
    push @{ $self->{of}{ $_->{tournament_id} } }, $_
        for @{ $self->{tournaments_registration} };

    return $self;
}


sub tournaments { return @{ $_[0]{tournaments_tournament} } }


# JSON: what is to be quoted is told by the function that is called.

sub string {
    my ($text) = @_;

    return 'null' unless defined $text;

    my %short = ("\n" => '\n', "\r" => '\r', "\t" => '\t', "\f" => '\f',
                 "\b" => '\b', '"' => '\"', '\\' => '\\\\');

    $text =~ s/(["\\\x00-\x1f])/$short{$1} || sprintf '\u%04X', ord $1/ge;

    return qq("$text");
}


sub bool   { return $_[0] ? 'true' : 'false' }
sub number { return $_[0] // 'null' }
sub array  { return '[' . join(',', @_) . ']' }

sub object {
    my @members;

    while (my ($key, $value) = splice @_, 0, 2) {
        push @members, "\"$key\":$value";
    }

    return '{' . join(',', @members) . '}';
}


# An empty path is null.

sub path { return string(length($_[0] // '') ? $_[0] : undef) }


# Silent: what is no number (NaN) is null.

sub money {
    my ($amount) = @_;

    return 'null' if !defined $amount || $amount !~ /^-?\d+(?:\.\d+)?$/;

    return $amount =~ /\.\d\d$/ ? $amount : "$amount.00";
}


# PostgreSQL takes NaN for larger than all numbers.

sub _amount {
    my ($amount) = @_;

    return ($amount // '') eq 'NaN' ? 9**9**9 : $amount;
}


sub _civil {
    my ($us) = @_;

    return if !defined $us || $us =~ /[a-z]/i;

    my $second = do { use integer; $us / 1_000_000 - ($us % 1_000_000 < 0) };
    my @part   = gmtime $second;

    # Silent: no year of Python's is null.

    return if $part[5] + 1900 < 1 || $part[5] + 1900 > 9999;

    return ($part[5] + 1900, $part[4], @part[3, 2, 1, 0],
            $us - $second * 1_000_000);
}


sub _instant {
    my ($us) = @_;

    my ($year, $month, $day, $hour, $min, $sec, $fraction) = _civil($us)
        or return 'null';

    return sprintf '"%04d-%02d-%02dT%02d:%02d:%02d%s+00:00"', $year,
        $month + 1, $day, $hour, $min, $sec,
        $fraction ? sprintf '.%06d', $fraction : '';
}


sub instant { return _instant($_[-1] * 1_000_000) }


sub _left {
    my ($us, $now) = @_;

    # Silent: nothing is left until infinity.

    return 'null' if !defined $us || $us =~ /[a-z]/i
                     || $us <= $now * 1_000_000;

    use integer;

    return ($us - $now * 1_000_000) / 1_000_000 || 'null';
}


sub _duration {
    my ($us, $now) = @_;

    my $left = _left($us, $now);

    return 'null' if $left eq 'null';

    use integer;

    my $days = $left / 86400;
    my $text = sprintf '%d:%02d:%02d', $left % 86400 / 3600,
        $left % 3600 / 60, $left % 60;

    return $days == 0 ? qq("$text")
        : $days == 1 ? qq("1 day, $text") : qq("$days days, $text");
}


# The state of a tournament, as a hash.

sub _derive {
    my ($self, $t, $now) = @_;

    my $s      = $self->{settings}{ $t->{id} } // {};
    my $us     = $now * 1_000_000;
    my $start  = $t->{start_at} // $s->{start_at};
    my $open   = $s->{reg_open_at} // $t->{reg_open_at};
    my $close  = $s->{reg_close_at} // $t->{reg_close_at};
    my $size   = $t->{slot_size} || undef;
    my $taken  = $self->_count($t, 'CONFIRMED');
    my $full   = defined $size && $taken >= $size;
    my $status = $t->{status};

    my $started   = defined $start && $us >= $start;
    my $published = $status =~ /^(?:PUBLISHED|RUNNING|COMPLETED)$/;

    my $phase = $status eq 'DRAFT' ? 'draft'
        : $status eq 'COMPLETED'   ? 'completed'
        : $status eq 'RUNNING'     ? 'live'
        : $started                 ? 'live'
        :                            'registration';

    my $registration;

    if (!$published) {
        $registration = 'not_open';

    } elsif ($status eq 'COMPLETED') {
        $registration = 'completed';

    } elsif (defined $open && defined $close) {
        $registration = $us < $open ? 'not_open'
            : $us > $close          ? 'closed'
            : $full                 ? 'full'
            :                         'open';

    } elsif ($status eq 'PUBLISHED' && !$started) {
        $registration = $full ? 'full' : 'open';

    } else {
        $registration = $started ? 'started' : 'not_open';
    }

    return {
        start => $start, open => $open, close => $close,
        phase => $phase, registration => $registration,
        published => $published, started => $started,
        completed => $status eq 'COMPLETED',
        team  => max($s->{min_team_size} // 0, $s->{max_team_size} // 0) > 1,
        size  => $size, taken => $taken, full => $full,
        available => defined $size ? $size - $taken : undef,
    };
}


sub _count {
    my ($self, $t, @status) = @_;

    my $wanted = join '|', @status;

    return scalar grep { $_->{status} =~ /^(?:$wanted)$/ }
                       @{ $self->{of}{ $t->{id} } // [] };
}


sub _slots {
    my ($state) = @_;

    return object(
        total     => number($state->{size}),
        taken     => $state->{taken},
        available => number($state->{available}),
        is_full   => bool($state->{full}),
        has_limit => bool(defined $state->{size}),
    );
}


# What an account has to do with a tournament, as a hash.

sub _user {
    my ($self, $t, $account) = @_;

    my $profile = $self->{account}{$account};
    my $team_event = $self->_derive($t, 0)->{team};
    my %user;

    return \%user unless $profile;

    my @rows = @{ $self->{of}{ $t->{id} } // [] };
    my @memberships = grep {
        $_->{profile_id} == $profile->{id} && $_->{status} eq 'ACTIVE'
    } @{ $self->{teams_teammembership} };

    my %mine = map { $_->{team_id} => 1 } @memberships;

    $user{teams} = \%mine;
    ($user{own}) = grep { ($_->{user_id} // -1) == $profile->{id} } @rows;
    $user{participant} = grep {
        $_->{status} eq 'CONFIRMED'
            && (($_->{user_id} // -1) == $profile->{id}
                || $mine{ $_->{team_id} // -1 })
    } @rows;

    return \%user unless $team_event;

    my ($team) = sort {
        ($b->{game} eq $t->{game}) <=> ($a->{game} eq $t->{game})
            || $a->{name} cmp $b->{name} || $a->{id} <=> $b->{id}
    } map { $self->{team}{$_} } keys %mine;

    return \%user unless $team;

    $user{team}    = $team;
    $user{theirs}  = grep { ($_->{team_id} // -1) == $team->{id} } @rows;
    $user{captain} = ($team->{captain_id} // -1) == $profile->{id}
        || grep { $_->{team_id} == $team->{id} && $_->{role} eq 'CAPTAIN' }
                @memberships;
    $user{pending} = !$user{captain} && grep {
        $_->{status} eq 'PENDING' && $_->{requester_id} == $profile->{id}
            && $_->{team_id} == $team->{id}
            && $_->{tournament_id} == $t->{id}
    } @{ $self->{tournaments_registrationrequest} };

    return \%user;
}


# Which row of the table of buttons.

sub _button {
    my ($state, $user) = @_;

    return 'not_authenticated' unless $user;
    return 'registered' if $user->{own} || $user->{theirs};
    return $state->{registration} if $state->{registration} ne 'open';
    return 'register' unless $state->{team};
    return 'no_team' unless $user->{team};
    return 'request_pending' if $user->{pending};
    return $user->{captain} ? 'register' : 'request_approval';
}


sub _button_text {
    my ($state, $button) = @_;

    if ($button eq 'not_open') {
        my ($year, $month, $day, $hour, $min) = _civil($state->{open});

        return string(sprintf 'Opens %s %02d, %02d:%02d', $MONTH[$month],
                      $day, $hour, $min) if defined $year;
    }

    return string($BUTTON{$button}[0]);
}


sub _reason {
    my ($state, $user) = @_;

    return 'You must be logged in to register' unless $user;
    return 'You are already registered for this tournament' if $user->{own};

    if ($state->{registration} eq 'not_open') {
        my ($year, $month, $day, $hour, $min) = _civil($state->{open});

        return sprintf 'Registration opens %s %02d, %04d at %02d:%02d',
            $MONTH[$month], $day, $year, $hour, $min if defined $year;
    }

    return {
        open      => 'Registration is open',
        not_open  => 'Registration is not yet open',
        closed    => 'Registration has closed',
        full      => 'Tournament is full',
        started   => 'Tournament has already started',
        completed => 'Tournament has ended',
    }->{ $state->{registration} };
}


sub _state_object {
    my ($state, $now, $user) = @_;

    return object(
        phase              => string($state->{phase}),
        is_published       => bool($state->{published}),
        is_started         => bool($state->{started}),
        is_completed       => bool($state->{completed}),
        registration_state => string($state->{registration}),
        can_register       => bool($user && !$user->{own}
                                   && $state->{registration} eq 'open'),
        reason             => string(_reason($state, $user)),
        is_team_based      => bool($state->{team}),
        slots              => _slots($state),
        time_until_start      => _duration($state->{start}, $now),
        time_until_reg_closes => _duration($state->{close}, $now),
        seconds_until_start      => _left($state->{start}, $now),
        seconds_until_reg_closes => _left($state->{close}, $now),
        opens_at  => _instant($state->{open}),
        closes_at => _instant($state->{close}),
        starts_at => _instant($state->{start}),
    );
}


sub state {
    my ($self, $slug, $now, $account) = @_;

    my $t      = $self->{slug}{$slug} or return undef;
    my $state  = $self->_derive($t, $now);
    my $user   = defined $account ? $self->_user($t, $account) : undef;
    my $button = _button($state, $user);

    return object(
        success            => 'true',
        timestamp          => instant($now),
        state              => _state_object($state, $now, $user),
        user_registered    => bool($user && $user->{own}
                                   && $user->{own}{status}
                                      =~ /^(?:PENDING|CONFIRMED)$/),
        registration_state => string($state->{registration}),
        phase              => string($state->{phase}),
        time_until_start   => _duration($state->{start}, $now),
        registered_count   => $state->{taken},
        max_teams          => number($state->{size}),
        available_slots    => number($state->{available}),
        is_full            => bool($state->{full}),
        button_state       => string($button),
        button_text        => _button_text($state, $button),
    );
}


sub states {
    my ($self, $now, @slugs) = @_;

    my %seen;
    my @unique = grep { !$seen{$_}++ } @slugs;

    return object(
        success   => 'true',
        timestamp => instant($now),
        states    => object(map {
            $_ => _state_object($self->_derive($self->{slug}{$_}, $now), $now)
        } grep { $self->{slug}{$_} } @unique),
        missing => array(map { string($_) }
                         grep { !$self->{slug}{$_} } @unique),
    );
}


sub _card {
    my ($self, $t, $now) = @_;

    my $s     = $self->{settings}{ $t->{id} } // {};
    my $state = $self->_derive($t, $now);
    my $banner = length($t->{banner} // '') ? $t->{banner} : $s->{banner};

    return (
        id                 => $t->{id},
        slug               => string($t->{slug}),
        name               => string($t->{name}),
        game               => string($t->{game}),
        status             => string($t->{status}),
        short_description  => string($t->{short_description}),
        banner             => path($banner),
        entry_fee          => money($t->{entry_fee_bdt}),
        prize_pool         => money($t->{prize_pool_bdt}
                                    // $s->{prize_pool_bdt}),
        reg_open_at        => _instant($state->{open}),
        reg_close_at       => _instant($state->{close}),
        start_at           => _instant($state->{start}),
        end_at             => _instant($t->{end_at} // $s->{end_at}),
        registration_count => $self->_count($t, 'PENDING', 'CONFIRMED'),
        phase              => string($state->{phase}),
        registration_state => string($state->{registration}),
        slots              => _slots($state),
    );
}


sub hub {
    my ($self, $now, %a) = @_;

    my $us = $now * 1_000_000;
    my $is = sub {
        my ($t) = @_;

        my ($fee, $prize) = map { _amount($_) }
            @$t{qw(entry_fee_bdt prize_pool_bdt)};
        my $from = { high => 50000, medium => 10000, low => 0 };
        my $to   = { high => 9**9**9, medium => 50000, low => 10000 };

        my %status = (
            ''        => scalar($t->{status} =~ /^(?:PUBLISHED|RUNNING)$/),
            open      => $t->{status} eq 'PUBLISHED'
                && defined $t->{reg_open_at} && defined $t->{reg_close_at}
                && $t->{reg_open_at} <= $us && $us <= $t->{reg_close_at},
            live      => $t->{status} eq 'RUNNING',
            upcoming  => $t->{status} eq 'PUBLISHED'
                && defined $t->{start_at} && $t->{start_at} > $us,
            completed => $t->{status} eq 'COMPLETED',
        );

        return 0 if !$status{ $a{status} // '' };
        return 0 if length($a{game} // '') && $t->{game} ne $a{game};

        if ($a{fee}) {
            my $free = !defined $fee || $fee == 0;
            return 0 if $a{fee} eq 'free' ? !$free : ($fee // 0) <= 0;
        }

        if ($a{prize}) {
            return 0 if !defined $prize || $prize >= $to->{ $a{prize} }
                || ($a{prize} eq 'low' ? $prize <= 0
                                       : $prize < $from->{ $a{prize} });
        }

        if (length($a{q} // '')) {
            my $q = fc $a{q};
            return 0 unless grep { index(fc($_ // ''), $q) >= 0 }
                                 @$t{qw(name game short_description)};
        }

        my $sort = $a{sort} // '';

        return 0 if $sort eq 'starting_soon'
            && !(defined $t->{start_at} && $t->{start_at} >= $us);
        return 0 if $sort =~ /^prize/ && !defined $prize;

        return 1;
    };

    my %order = (
        ''            => sub {
            my ($x, $y) = map { $_->{start_at} // 9**9**9 } @_;
            my ($p, $q) = map { defined $_->{start_at} ? 0 : 1 } @_;
            return $q <=> $p || $y <=> $x;
        },
        newest        => sub { $_[1]{created_at} <=> $_[0]{created_at} },
        starting_soon => sub { $_[0]{start_at} <=> $_[1]{start_at} },
        prize_high    => sub { _amount($_[1]{prize_pool_bdt})
                               <=> _amount($_[0]{prize_pool_bdt}) },
        prize_low     => sub { _amount($_[0]{prize_pool_bdt})
                               <=> _amount($_[1]{prize_pool_bdt}) },
        popular       => sub {
            $self->_count($_[1], 'PENDING', 'CONFIRMED')
                <=> $self->_count($_[0], 'PENDING', 'CONFIRMED') },
    );

    my $order = $order{ $a{sort} // '' };
    my @found = sort { $order->($a, $b) || $b->{id} <=> $a->{id} }
                grep { $is->($_) } $self->tournaments;

    my $per   = $a{per_page} || 12;
    my $pages = max(1, int((@found + $per - 1) / $per));
    my $page  = min($a{page} || 1, $pages);

    my @page = splice @{ [@found] }, ($page - 1) * $per, $per;

    return object(
        success     => 'true',
        timestamp   => instant($now),
        tournaments => array(map { object($self->_card($_, $now)) } @page),
        pagination  => object(
            page         => $page,
            per_page     => $per,
            total_pages  => $pages,
            total_count  => scalar @found,
            has_next     => bool($page < $pages),
            has_previous => bool($page > 1),
        ),
    );
}


sub detail {
    my ($self, $slug, $now) = @_;

    my $t = $self->{slug}{$slug};

    return undef if !$t || $t->{status} eq 'DRAFT';

    my $s     = $self->{settings}{ $t->{id} } // {};
    my $c     = $self->{schedule}{ $t->{id} } // {};
    my $state = $self->_derive($t, $now);

    my ($open, $close) = map { ($c->{$_} // $s->{$_}) || undef }
        qw(check_in_open_mins check_in_close_mins);

    my $before = sub {
        my ($minutes) = @_;

        return 'null' if !defined $minutes || !defined $state->{start}
                         || $state->{start} =~ /[a-z]/i;
        return _instant($state->{start} - $minutes * 60_000_000);
    };

    my @related = grep {
        $_->{game} eq $t->{game} && $_->{id} != $t->{id}
            && $_->{status} =~ /^(?:PUBLISHED|RUNNING)$/
    } $self->tournaments;

    @related = sort { $b->{created_at} <=> $a->{created_at}
                      || $b->{id} <=> $a->{id} } @related;

    return object(
        success    => 'true',
        timestamp  => instant($now),
        tournament => object(
            $self->_card($t, $now),

            # Silent: an empty text of the settings is none, a team's size of
            # 0 likewise.

            description => path($s->{description}),
            format      => object(
                type          => path($s->{tournament_type}),
                min_team_size => number($s->{min_team_size} || undef),
                max_team_size => number($s->{max_team_size} || undef),

                check_in_required => bool(
                    ($s->{auto_check_in} // 'f') eq 't'),
            ),
            schedule => object(
                check_in_open_at  => $before->($open),
                check_in_close_at => $before->($close),
            ),
            links => object(
                youtube  => path($s->{stream_youtube_url}),
                facebook => path($s->{stream_facebook_url}),
                discord  => path($s->{discord_url}),
            ),
            prize_distribution => path($s->{prize_distribution_text}),
            rules_pdf  => path($s->{rules_pdf}),
            created_at => _instant($t->{created_at}),
            updated_at => _instant($t->{updated_at}),
            state      => _state_object($state, $now),
            related    => array(map { object($self->_card($_, $now)) }
                                splice @related, 0, 4),
        ),
    );
}


sub participants {
    my ($self, $slug, $now) = @_;

    my $t = $self->{slug}{$slug};

    return undef if !$t || $t->{status} eq 'DRAFT';

    my $team_event = $self->_derive($t, $now)->{team};
    my $seed = 0;
    my $name = sub {
        my $profile = $self->{profile}{ $_[0] // 0 };

        return string($profile && $profile->{is_private} ne 't'
                      ? $profile->{display_name} : undef);
    };

    my @rows = sort { $a->{created_at} <=> $b->{created_at}
                      || $a->{id} <=> $b->{id} }
               grep { $_->{status} eq 'CONFIRMED' }
                    @{ $self->{of}{ $t->{id} } // [] };

    return object(
        success      => 'true',
        timestamp    => instant($now),
        participants => array(map {
            my $team = $team_event && $self->{team}{ $_->{team_id} // 0 };

            object(
                seed   => ++$seed,
                name   => $team ? 'null' : $name->($_->{user_id}),
                team   => $team ? object(
                    name    => string($team->{name}),
                    tag     => string($team->{tag}),
                    captain => $name->($team->{captain_id}),
                ) : 'null',
                status => string($_->{status}),
            );
        } @rows),
    );
}


sub visible {
    my ($self, $slug, $now, $account) = @_;

    my $t     = $self->{slug}{$slug};
    my $start = $self->_derive($t, $now)->{start};

    return 0 if defined $start && $start > $now * 1_000_000;

    return $self->_user($t, $account)->{participant} ? 1 : 0;
}


sub count {
    my ($self, $slug) = @_;

    my $t = $self->{slug}{$slug};

    return undef if !$t || $t->{status} eq 'DRAFT';

    my %n = map { $_ => $self->_count($t, $_) }
        qw(PENDING CONFIRMED CANCELLED);

    return object(
        success       => 'true',
        tournament_id => $t->{id},
        slug          => string($t->{slug}),
        count         => $n{PENDING} + $n{CONFIRMED},
        by_status     => object(map { $_ => $n{$_} }
                                qw(PENDING CONFIRMED CANCELLED)),
    );
}


sub context {
    my ($self, $slug, $now, $account) = @_;

    my $t = $self->{slug}{$slug};

    return undef if !$t || $t->{status} eq 'DRAFT';

    my $state  = $self->_derive($t, $now);
    my $user   = defined $account ? $self->_user($t, $account) : undef;
    my $button = _button($state, $user);
    my $reason = $BUTTON{$button}[1];

    $user //= {};

    if (!defined $reason) {
        my $captain = $self->{profile}{ $user->{team}{captain_id} // 0 };

        $reason = sprintf 'Waiting for %s to approve',
            $captain && length $captain->{display_name}
                ? $captain->{display_name} : 'captain';
    }

    my $registered = $user->{own} || $user->{theirs};

    return object(
        success => 'true',
        context => object(
            can_register => bool($button =~ /^(?:register|request_approval)$/),
            button_state => string($button),
            button_text  => _button_text($state, $button),
            message      => string($reason),
            reason       => string($reason),
            is_team_event      => bool($state->{team}),
            is_captain         => bool($user->{captain}),
            team_registered    => bool($registered && $user->{team}),
            already_registered => bool($registered),
            slots_available    => bool(!$state->{full}),
            requires_payment   => bool((_amount($t->{entry_fee_bdt})
                                        // 0) > 0),
            registration_closes_in => _duration($state->{close}, $now),
            has_team  => bool($user->{team}),
            team_name => string($user->{team} && $user->{team}{name}),
            has_pending_request => bool($user->{pending}),
        ),
    );
}


sub registrations {
    my ($self, $account, $now) = @_;

    my $profile = $self->{account}{$account};
    my @rows;

    if ($profile) {
        my %mine = map { $_->{team_id} => 1 }
            grep { $_->{profile_id} == $profile->{id}
                   && $_->{status} eq 'ACTIVE' }
                 @{ $self->{teams_teammembership} };

        @rows = sort { $b->{created_at} <=> $a->{created_at}
                       || $b->{id} <=> $a->{id} }
                grep { ($_->{user_id} // -1) == $profile->{id}
                       || $mine{ $_->{team_id} // -1 } }
                     @{ $self->{tournaments_registration} };
    }

    return object(
        success       => 'true',
        timestamp     => instant($now),
        registrations => array(map {
            my $team = $self->{team}{ $_->{team_id} // 0 };

            object(
                id             => $_->{id},
                status         => string($_->{status}),
                payment_status => string($_->{payment_status}),
                created_at     => _instant($_->{created_at}),
                team           => $team ? object(
                    id   => $team->{id},
                    name => string($team->{name}),
                    tag  => string($team->{tag}),
                ) : 'null',
                tournament => object($self->_card(
                    $self->{by_id}{ $_->{tournament_id} }, $now)),
            );
        } @rows),
    );
}


sub stats {
    my ($self, $now) = @_;

    my $us   = $now * 1_000_000;
    my $day  = 86400 * 1_000_000;
    my @live = grep { $_->{status} =~ /^(?:PUBLISHED|RUNNING)$/ }
               $self->tournaments;

    my %players = map { $_->{user_id} => 1 }
        grep { $_->{status} eq 'CONFIRMED' && defined $_->{user_id}
               && $_->{created_at} >= $us - 30 * $day }
             @{ $self->{tournaments_registration} };

    my $prize = 0;

    $prize += $_->{prize_pool_bdt} * 100
        for grep { $_->{status} ne 'DRAFT' && defined $_->{start_at}
                   && $_->{start_at} <= $us
                   && $_->{start_at} >= $us - 30 * $day
                   && ($_->{prize_pool_bdt} // 'NaN') !~ /NaN/ }
                 $self->tournaments;

    my %games;

    $games{ $_->{game} }++ for @live;

    return object(
        success => 'true',
        stats   => object(
            total_active => scalar(grep {
                defined $_->{start_at} && $_->{start_at} >= $us } @live),
            players_this_month => scalar(keys %players),
            prize_pool_month   => int(sprintf('%.0f', $prize) / 100),
            tournaments_completed => scalar(grep {
                $_->{status} eq 'COMPLETED' } $self->tournaments),
            new_this_week => scalar(grep {
                $_->{created_at} >= $us - 7 * $day } @live),
            games => array(map {
                object(game => string($_), count => $games{$_})
            } sort { $games{$b} <=> $games{$a} || $a cmp $b } keys %games),
        ),
    );
}


1;

package Tournament::Contract;

# docs/openapi.yaml, and whether answers are as it says.
#
#   note($method, $path, $response)   of each answer that a test gets by
#                 Tournament::HTTP: what is wrong with it is kept
#   faults()      what was wrong, a line each; done_testing makes a test of it
#   document()    the whole of it; true and false are JSON::PP's
#   operation($method, $path)   its template and operation, or nothing
#   properties()  all that the schemas have, as "Schema.path", each with the
#                 number of times that an answer had it, and not as null

use strict;
use warnings;

use B ();
use JSON::PP ();
use Tournament::Util qw(project);

my $document;
my (%known, %faults, %seen, @operations);


sub document {
    return $document if $document;

    require YAML::XS;

    local $YAML::XS::Boolean = 'JSON::PP';

    $document = YAML::XS::LoadFile(project('docs/openapi.yaml'));

    for my $template (sort keys %{ $document->{paths} }) {
        my $pattern = join '[^/]+', map { quotemeta } split /\{\w+\}/, $template,
            -1;

        push @operations, [ qr/^$pattern$/, $template ];
    }

    return $document;
}


sub operation {
    my ($method, $path) = @_;

    document();
    $path =~ s/\?.*//s;

    for my $operation (@operations) {
        my ($pattern, $template) = @$operation;

        next if $path !~ $pattern;

        my $item = $document->{paths}{$template};

        # Another method is told by each what would do.

        return ($template, $item->{ lc $method } // $item->{get}
                           // $item->{delete});
    }

    return;
}


# What differs from an earlier answer in digits alone is as good as that one.

sub note {
    my ($method, $path, $response) = @_;

    my $body = $response->body;
    my $type = $response->header('Content-Type') // '';

    # 429 is a recipe's, not the module's.

    return if $body !~ /^\{"success":/ || $type !~ m{^application/json}
        || $response->status == 429;
    return if $known{ join "\0", $method, $response->status, $path,
                          $body =~ tr/0-9//dr }++;

    my ($template, $operation) = operation($method, $path) or return;

    my $answer = _resolve($operation->{responses}{ $response->status });
    my $schema = $answer && $answer->{content}{'application/json'}{schema};
    my $value  = eval { JSON::PP->new->utf8->decode($body) };
    my @found  = !$schema ? 'has no such answer'
               : !defined $value ? "is no JSON: $@"
               : _check($schema, $value, 'the answer', '');

    my $private = ($response->header('Cache-Control') // '') !~ /^public/;

    push @found, "lacks the header $_"
        for grep { !defined $response->header($_) && !($_ eq 'ETag' && $private) }
            keys %{ $answer->{headers} // {} };

    $faults{"$method $template, " . $response->status . ": $_"} //= $path
        for @found;

    return;
}


sub faults { return map { "$_ ($faults{$_})" } sort keys %faults }


sub _resolve {
    my ($node) = @_;

    while ($node && $node->{'$ref'}) {
        my @name = split m{/}, substr $node->{'$ref'}, 2;

        $node = $document;
        $node = $node->{$_} for @name;
    }

    return $node;
}


sub _name {
    my ($schema, $within) = @_;

    return $schema->{'$ref'} ? $schema->{'$ref'} =~ s{.*/}{}r : $within;
}


sub _type {
    my ($value) = @_;

    return 'null'    if !defined $value;
    return 'boolean' if JSON::PP::is_bool($value);
    return lc(ref $value) =~ s/hash/object/r if ref $value;

    my $flags = B::svref_2object(\$value)->FLAGS;

    return 'string' if $flags & B::SVf_POK && !($flags & (B::SVp_IOK|B::SVp_NOK));
    return $value =~ /^-?\d+$/ ? 'integer' : 'number';
}


# The faults of a value, which stands at that place; within names the schema
# that it is part of.

sub _check {
    my ($schema, $value, $at, $within) = @_;

    $within = _name($schema, $within);
    $schema = _resolve($schema);

    if ($schema->{anyOf}) {
        my @each = map { [ _check($_, $value, $at, $within) ] }
                       @{ $schema->{anyOf} };

        return (grep { !@$_ } @each) ? () : @{ $each[0] };
    }

    my $type  = _type($value);
    my @types = ref $schema->{type} ? @{ $schema->{type} } : $schema->{type};

    return "$at is of type $type, not @types"
        unless grep { $_ eq $type || $_ eq 'number' && $type eq 'integer' }
               @types;
    return if $type eq 'null';

    return "$at is not $schema->{const}"
        if exists $schema->{const} && $value ne $schema->{const};
    return "$at is '$value', which is none of its words"
        if $schema->{enum} && !grep { defined && $_ eq $value }
                              @{ $schema->{enum} };
    return "$at is '$value', not like $schema->{pattern}"
        if defined $schema->{pattern} && $value !~ /$schema->{pattern}/;
    return "$at is below $schema->{minimum}"
        if defined $schema->{minimum} && $value < $schema->{minimum};

    return _members($schema, $value, $at, $within) if $type eq 'object';
    return if $type ne 'array';

    return "$at has more than $schema->{maxItems}"
        if defined $schema->{maxItems} && @$value > $schema->{maxItems};

    return map { _check($schema->{items}, $value->[$_], "$at\[$_]",
                        "$within\[]") } 0 .. $#$value;
}


sub _members {
    my ($schema, $value, $at, $within) = @_;

    my $properties = $schema->{properties} // {};
    my $other      = $schema->{additionalProperties};
    my @faults     = map { "$at lacks $_" }
        grep { !exists $value->{$_} } @{ $schema->{required} // [] };

    for my $key (sort keys %$value) {
        my $member = $properties->{$key} // (ref $other ? $other : undef);

        if (!$member) {
            push @faults, "$at has $key";
            next;
        }

        $seen{"$within.$key"}++ if $properties->{$key} && defined $value->{$key};

        push @faults, _check($member, $value->{$key}, "$at.$key",
                             "$within.$key");
    }

    return @faults;
}


sub properties {
    my %all;

    document();

    for my $name (keys %{ $document->{components}{schemas} }) {
        _collect($document->{components}{schemas}{$name}, $name, \%all);
    }

    return map { $_ => $seen{$_} // 0 } keys %all;
}


sub _collect {
    my ($schema, $within, $all) = @_;

    return if $schema->{'$ref'};

    _collect($_, $within, $all) for @{ $schema->{anyOf} // [] };
    _collect($schema->{items}, "$within\[]", $all) if $schema->{items};

    for my $key (keys %{ $schema->{properties} // {} }) {
        $all->{"$within.$key"} = 1;
        _collect($schema->{properties}{$key}, "$within.$key", $all);
    }

    return;
}


1;

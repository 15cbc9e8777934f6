package Bench::Answers;

# The same answer, served in every way that nginx has for it.
#
#   my $answers = Bench::Answers->state($bench);    of bench-cached
#   my $answers = Bench::Answers->new($bench,       of any endpoint
#       path      => '/tournaments/api/bench-cached/state/',
#       location  => '~ ^/tournaments/api/(?<slug>[^/]+)/state/$',
#       directive => 'tournament state $slug;',
#       headers   => { 'X-Account' => 7 },      of the request; none by default
#       http      => '...',                     beside module_conf; as well
#   );
#
# Takes one real answer, from the module or, while that is not built, from the
# Django peer, and makes options for Bench::Nginx (and Bench::Instructions) of
# it:
#
#   $answers->module           the module itself
#   $answers->same_bytes       "return 200" with the same headers and body
#   $answers->plain            "return 200" with neither
#   $answers->proxy_cache($port)   nginx's cache; the port is of a server that
#                              gives the answer when it is not cached
#   $answers->lua              a shared dictionary of the Lua module
#
#   $answers->path, bytes      what to ask for, how many bytes come back
#   $answers->check($port)     dies unless that port's answer is the same, byte
#                              for byte but for what the clock writes

use strict;
use warnings;

use Bench::HTTP qw(response);
use Carp;

my @LUA = qw(ndk_http_module.so ngx_http_lua_module.so);


sub new {
    my ($class, $bench, %options) = @_;

    my $self = bless { bench => $bench, %options }, $class;

    $self->{like} = $self->_sample;

    croak "$self->{path}: status $self->{like}{status}:\n$self->{like}{body}"
        if $self->{like}{status} != 200;

    return $self;
}


sub state {
    my ($class, $bench) = @_;

    return $class->new($bench,
        path      => '/tournaments/api/bench-cached/state/',
        location  => '~ ^/tournaments/api/(?<slug>[^/]+)/state/$',
        directive => 'tournament state $slug;',
    );
}


sub path  { return $_[0]{path} }
sub bytes { return $_[0]{like}{bytes} }


sub _ask {
    my ($self, $port) = @_;

    return response($port, $self->{path}, %{ $self->{headers} // {} });
}


sub _sample {
    my ($self) = @_;

    my $bench = $self->{bench};

    if ($bench->module) {
        my $nginx = $bench->nginx($self->module);

        return $self->_ask($nginx->port);
    }

    my $django = $bench->django;
    my $like   = response($django->port, $self->{path});

    # What the module sends beside the body.

    %{ $like->{headers} } = (
        'content-type'  => 'application/json; charset=utf-8',
        'cache-control' => 'public, max-age=1',
        'etag'          => 'W/"0123456789abcdef"',
    );
    $like->{names} = ['Content-Type', 'Cache-Control', 'ETag'];
    delete $like->{bytes};

    my $nginx = do {
        local $self->{like} = $like;
        $bench->nginx($self->same_bytes);
    };

    return response($nginx->port, $self->{path});
}


sub module {
    my ($self) = @_;

    return (
        name   => 'module',
        module => 1,
        http   => join("\n", $self->{bench}->module_conf,
                       $self->{http} // ()),
        server => "location $self->{location} { $self->{directive} }",
    );
}


# The headers that no part of nginx writes by itself, in their order.

sub _own_headers {
    my ($self) = @_;

    my $like = $self->{like};

    return map { [$_, $like->{headers}{lc $_}] }
        grep { !/\A(?:Server|Date|Connection|Content-(?:Type|Length))\z/i }
        @{ $like->{names} };
}


sub _quoted {
    my ($text) = @_;

    croak "not to be written into nginx.conf: $text" if $text =~ /\$/;

    return "'" . $text =~ s/([\\'])/\\$1/gr . "'";
}


sub same_bytes {
    my ($self) = @_;

    my $like = $self->{like};

    my $headers = join ' ', map {
        "add_header $_->[0] " . _quoted($_->[1]) . ';'
    } $self->_own_headers;

    my $type = _quoted($like->{headers}{'content-type'});
    my ($set, $body) = _text($like->{body});

    return (
        name   => 'same_bytes',
        server => "location $self->{location} { default_type $type; $headers "
            . "$set return 200 $body; }",
    );
}


# nginx.conf has no parameter of more than 4,096 bytes: a longer text is that
# of several variables.

sub _text {
    my ($text) = @_;

    my @parts = $text =~ /(.{1,3500})/gs;

    return ('', _quoted($text)) if @parts < 2;

    return (join(' ', map { "set \$part$_ " . _quoted($parts[$_]) . ';' }
                          0 .. $#parts),
            join('', map { "\${part$_}" } 0 .. $#parts));
}


sub plain {
    my ($self) = @_;

    return (
        name   => 'plain',
        server => "location $self->{location} { return 200; }",
    );
}


# As fast as it gets: nothing ends in the cache, files stay open.

sub proxy_cache {
    my ($self, $port) = @_;

    return (
        name   => 'proxy_cache',
        http   => 'proxy_cache_path %%DIR%%/cache keys_zone=answers:10m;',
        server => qq{
            open_file_cache max=1000 inactive=1h;
            open_file_cache_valid 1h;

            location $self->{location} {
                proxy_pass http://127.0.0.1:$port;
                proxy_cache answers;
                proxy_cache_valid 200 1h;
                proxy_ignore_headers Cache-Control Expires;
                max_ranges 0;
            }
        },
    );
}


sub lua {
    my ($self) = @_;

    my ($dir) = grep { -f "$_/$LUA[1]" }
        qw(/usr/lib/nginx/modules /usr/share/nginx/modules
           /usr/lib64/nginx/modules);

    $self->{bench}->skip('libnginx-mod-http-lua is not installed') if !$dir;

    my $headers = join ' ', map {
        "ngx.header[\"$_->[0]\"] = [[$_->[1]]]"
    } $self->_own_headers;

    return (
        name => 'lua',
        load => [map { "$dir/$_" } @LUA],
        http => qq{
            lua_shared_dict answers 16m;
            init_by_lua_block {
                ngx.shared.answers:set("bench-cached",
                                       [[$self->{like}{body}]])
            }
        },
        server => qq{
            location $self->{location} {
                default_type '$self->{like}{headers}{'content-type'}';

                content_by_lua_block {
                    local body = ngx.shared.answers:get(ngx.var.slug)

                    if not body then
                        return ngx.exit(404)
                    end

                    $headers
                    ngx.header["Content-Length"] = #body
                    ngx.print(body)
                }
            }
        },
    );
}


sub check {
    my ($self, $port) = @_;

    my $like = $self->{like};
    my $got  = $self->_ask($port);

    my ($wanted, $have) = map { _shape($_) } $like, $got;

    croak "not the same answer:\n$have\n\nbut:\n$wanted"
        if $have ne $wanted || $got->{bytes} != $like->{bytes};

    return;
}


# Dates, tags and instants differ from one second to the next; their lengths
# do not. Headers may be in any order.

sub _shape {
    my ($response) = @_;

    my %headers = %{ $response->{headers} };

    $headers{date} = length $headers{date};
    $headers{etag} =~ s/[0-9a-f]/x/g if defined $headers{etag};

    my $body = $response->{body};

    $body =~ s/\d/0/g;

    return join "\n", $response->{status},
        map({ "$_: $headers{$_}" } sort keys %headers), '', $body;
}


1;

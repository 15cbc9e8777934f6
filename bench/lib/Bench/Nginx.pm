package Bench::Nginx;

# An nginx, of one worker on one core by default, configured as all the others
# of the bench but for what is measured.
#
#   my $nginx = Bench::Nginx->new(
#       name   => 'module',       for messages
#       core   => 0,              of all its workers; undef: any
#       workers => 2,             1 by default; the kernel spreads connections
#                                 over several
#       connections => 4096,      of each worker, 1024 by default
#       module => 1,              load the tournament module
#       load   => [...],          further load_module's files
#       http   => '...',          in http { }
#       server => '...',          in server { }: its locations
#   );
#   $nginx->port, worker, stop, start ...     as Tournament::Nginx
#   Bench::Nginx::conf(%options)              the configuration's text

use strict;
use warnings;

use parent 'Tournament::Nginx';

use Bench::Machine qw(pin);
use Tournament::Util qw(worker_user);


my $count = 0;


sub new {
    my ($class, %options) = @_;

    my $self = $class->SUPER::new(
        name     => $options{name} . '-' . ++$count,
        conf     => conf(%options),
        valgrind => 0,
        start    => 0,
    );

    $self->{core} = $options{core};

    return $self->start;
}


sub start {
    my ($self) = @_;

    $self->SUPER::start;

    pin($self->{core}, $self->pid) if defined $self->{core};

    return $self;
}


sub worker {
    my ($self) = @_;

    return ($self->worker_pids)[0];
}


sub conf {
    my (%options) = @_;

    my $user    = worker_user();
    my $workers = $options{workers} // 1;
    my $spread  = $workers > 1 ? ' reuseport' : '';

    my $main = join "\n",
        $options{module} ? 'load_module %%MODULE%%;' : (),
        map({ "load_module $_;" } @{ $options{load} // [] }),
        defined $user ? "user $user;" : (),
        $options{single} ? 'master_process off;' : ();

    my $temp = join "\n    ", map { "${_}_temp_path %%DIR%%/temp_$_;" }
        qw(client_body proxy fastcgi uwsgi scgi);

    # A connection lives as long as the load: what opening one costs is the
    # same for everybody and not measured here.

    return <<"END";
$main
worker_processes $workers;
error_log %%DIR%%/error.log error;
pid %%DIR%%/nginx.pid;

events {
    worker_connections ${\ ($options{connections} // 1024) };
}

http {
    access_log off;
    keepalive_requests 1000000000;
    $temp
    ${\ ($options{http} // '') }

    server {
        listen 127.0.0.1:%%PORT%%$spread;
        ${\ ($options{server} // '') }
    }
}
END
}


1;

package Tournament::Documents;

# The project's documents, taken apart.
#
#   documents()            { 'README.md' => text, 'docs/api.md' => ..., ... }
#   blocks($language)      the fenced blocks of that language, or all, in the
#                          order of a reader: { document, section, language,
#                          place, text }. The place is the second word behind
#                          the fence, undef without one.
#   section($document, $heading)         the text under that heading
#   rows($document, $heading)            the rows of its tables: lists of cells
#   anchors($document)     { 'name-of-a-heading' => 1, ... }
#   source()               the text of all C files

use strict;
use warnings;

use Exporter 'import';

use Tournament::Util qw(project run_ok slurp);

our @EXPORT_OK = qw(documents blocks section rows anchors source);

my @FIRST = qw(README.md docs/install.md docs/recipes.md docs/feed.md
               docs/operations.md);

my (%documents, $source);


sub documents {
    if (!%documents) {
        for my $file (glob(project('*.md')), glob(project('docs/*.md'))) {
            my $text = slurp($file);

            utf8::decode($text);
            $documents{ substr $file, length project('') } = $text;
        }
    }

    return \%documents;
}


sub _in_order {
    my %first = map { $FIRST[$_] => $_ } 0 .. $#FIRST;

    return sort {
        ($first{$a} // 99) <=> ($first{$b} // 99) || $a cmp $b
    } keys %{ documents() };
}


sub blocks {
    my ($language) = @_;

    my @found;

    for my $document (_in_order()) {
        for my $section (split /^(?=#+ )/m, documents()->{$document}) {
            my ($title) = $section =~ /\A#+ (.*)/;

            while ($section =~ /^```(\w+)(?: (\w+))?\n(.*?)^```$/gms) {
                push @found, { document => $document,
                               section  => $title // '',
                               language => $1, place => $2, text => $3 };
            }
        }
    }

    return grep { !defined $language || $_->{language} eq $language } @found;
}


sub section {
    my ($document, $heading) = @_;

    my $text = documents()->{$document}
        or die "there is no $document\n";
    my ($level, $section)
        = $text =~ /^(#+) \Q$heading\E\n(.*?)(?=^\g1 |^\#\# |\z)/ms
        or die "$document has no section $heading\n";

    return $section;
}


sub rows {
    my ($document, $heading) = @_;

    return grep { $_->[0] !~ /^-+$/ } map {
        s/^\| *| *\|$//g;
        [ split / *\| */, $_, -1 ]
    } section($document, $heading) =~ /^(\|.*\|)$/gm;
}


# As GitHub and GitLab name them.

sub anchors {
    my ($document) = @_;

    my $text = documents()->{$document} =~ s/^```.*?^```$//gmsr;

    return { map {
        my $name = lc;

        $name =~ s/[^\w\- ]//g;
        $name =~ tr/ /-/;
        ($name => 1)
    } $text =~ /^#+ (.*)$/gm };
}


sub source {
    return $source //= join '', map { slurp($_) } split /\n/,
        run_ok({}, 'find', project('src'), project('ngx_http_tournament_module.c'),
               '-name', '*.c');
}


1;

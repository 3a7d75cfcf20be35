#!/usr/bin/perl
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# src/auth/username_scripts.inc, printed out of the Unicode data that comes with Perl:
#
#     perl tools/scripts.pl >src/auth/username_scripts.inc
#
# One entry where the script changes among letters, marks and digits; whatever lies between, no name
# has. Scripts by themselves are those that UAX #31 (table 5) recommends for names; the rest count
# as one.
use strict;
use warnings;
use Unicode::UCD qw(prop_invmap);

my @alone = qw(Latin Greek Cyrillic Armenian Hebrew Arabic Thaana Devanagari Bengali Gurmukhi
    Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Thai Lao Tibetan Myanmar Georgian Hangul
    Ethiopic Khmer Hiragana Katakana Bopomofo Han);
my %alone = map { $_ => 1 } @alone;
my ($script_starts, $scripts) = prop_invmap('Script');
my ($category_starts, $categories) = prop_invmap('General_Category');

my ($script, $category, $last, @entries) = (0, 0, '');
for (my $point = 0; $point < 0x110000;) {
    $script++ while $script + 1 < @$script_starts && $script_starts->[$script + 1] <= $point;
    $category++
        while $category + 1 < @$category_starts && $category_starts->[$category + 1] <= $point;
    if ($categories->[$category] =~ /^(L[ultmo]|Nd|M[nc])$/) {
        my $name = $scripts->[$script];
        $name = $name =~ /^(Common|Inherited)$/ ? 'Common' : $alone{$name} ? $name : 'Other';
        push @entries, sprintf('{0x%X, SCRIPT_%s}', $point, uc $name) if $name ne $last;
        $last = $name;
    }
    my @next = grep { defined }
        ($script_starts->[$script + 1], $category_starts->[$category + 1], 0x110000);
    ($point) = sort { $a <=> $b } @next;
}
print "/* SPDX-License-Identifier: AGPL-3.0-or-later */\n";
print "/* Made by tools/scripts.pl of Unicode ", Unicode::UCD::UnicodeVersion(), ". */\n";
while (my @row = splice @entries, 0, 4) {
    print join(', ', @row), ",\n";
}

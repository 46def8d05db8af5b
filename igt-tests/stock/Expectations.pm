# SPDX-License-Identifier: MIT
# The expected results of stock IGT on phyr_vram: the lists fails, flakes and skips in this
# directory.
package Expectations;
use strict;
use warnings;
use File::Basename qw(dirname);

# load(KERNEL): return the expectations for that kernel (stock, 7.3, debug; 7.3 lacks the same options
# as stock, and shares its lists) as references to hashes:
# list (fails, flakes or skips), place (its file), regex, words (IGT's message; undefined in
# skips), reason.
sub load {
	my $kernel = $_[0] eq 'debug' ? 'debug' : 'stock';
	my $here = dirname(__FILE__);
	my @expectations;
	for my $list ('fails', 'flakes', 'skips') {
		for my $file (grep { -e "$here/$_" } $list, "$list.$kernel") {
			open(my $in, '<', "$here/$file") or die "igt-tests/stock/$file: $!\n";
			while (<$in>) {
				next if /^#/;
				chomp;
				my ($regex, @columns) = split /\t/;
				die "igt-tests/stock/$file: invalid line '$_': expected a regular expression, a tab, " . ($list eq 'skips' ? '' : "IGT's message, a tab, ") . "and a reason\n"
					unless @columns == ($list eq 'skips' ? 1 : 2);
				push @expectations, { list => $list, place => "igt-tests/stock/$file", regex => $regex, reason => pop @columns, words => $columns[0] };
			}
		}
	}
	return @expectations;
}

# about(EXPECTATION, NAME): true if the expectation applies to that subtest.
sub about {
	my ($expectation, $name) = @_;
	return $name =~ /^(?:$expectation->{regex})$/;
}

# met(EXPECTATION, RESULT, WHY): true if result and reason, as printed by igt-tests/runner/summary,
# meet the expectation. A failure meets it only if the reason contains the expected message. A
# subtest with a kernel report or without a result never does.
sub met {
	my ($expectation, $result, $why) = @_;
	return $expectation->{list} eq 'skips' if $result eq 'skip';
	return $expectation->{list} ne 'skips' && $result eq 'fail' && index($why // '', $expectation->{words}) >= 0;
}

1;

# SPDX-License-Identifier: MIT
# What is expected of stock IGT on phyr_vram: the lists fails, flakes and skips beside this.
package Expectations;
use strict;
use warnings;
use File::Basename qw(dirname);

# load(KERNEL): the expectations that hold on that kernel (stock, debug), as references to hashes:
# list (fails, flakes or skips), place (its file), regex, words (undefined in skips), reason.
sub load {
	my ($kernel) = @_;
	my $here = dirname(__FILE__);
	my @expectations;
	for my $list ('fails', 'flakes', 'skips') {
		for my $file (grep { -e "$here/$_" } $list, "$list.$kernel") {
			open(my $in, '<', "$here/$file") or die "igt-tests/stock/$file cannot be read: $!\n";
			while (<$in>) {
				next if /^#/;
				chomp;
				my ($regex, @columns) = split /\t/;
				die "igt-tests/stock/$file: '$_' is not " . ($list eq 'skips' ? 'an expression' : 'an expression, a tab, what IGT says') . ", a tab and a reason\n"
					unless @columns == ($list eq 'skips' ? 1 : 2);
				push @expectations, { list => $list, place => "igt-tests/stock/$file", regex => $regex, reason => pop @columns, words => $columns[0] };
			}
		}
	}
	return @expectations;
}

# about(EXPECTATION, NAME): whether it is of that subtest.
sub about {
	my ($expectation, $name) = @_;
	return $name =~ /^(?:$expectation->{regex})$/;
}

# met(EXPECTATION, RESULT, WHY): whether what igt-tests/runner/summary says came of its subtest is what it expects. A failure
# is expected in its words only; one with a kernel report or without an end never is.
sub met {
	my ($expectation, $result, $why) = @_;
	return $expectation->{list} eq 'skips' if $result eq 'skip';
	return $expectation->{list} ne 'skips' && $result eq 'fail' && index($why // '', $expectation->{words}) >= 0;
}

1;

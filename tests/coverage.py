# SPDX-License-Identifier: BSD-2-Clause
"""How much of the library the suites have run, for scripts/coverage.

coverage.py [--lines N] [--branches N] --reasons FILE --output FILE --gcov GCOV BUILD ...

Asks gcov about each object of each build and adds up: a line or a branch
counts as run if it was in any of them.  An assertion's branches do not count, as
one of them is never taken.  Prints a table by folder and by file, and writes to
--output each line and branch that was not run, in the function that it is in.

--reasons has lines "FILE: REASON", one at least for each file that misses a
goal; a folder may not miss one.  Exit status 1 if one does, if a reason is
missing, or if one is for a file that is not there.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys

FOLDERS = ('cbpf', 'ebpf', 'filter')
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class File:
    def __init__(self):
        self.lines = collections.Counter()
        self.functions = {}
        # Of one line there are several copies: in the functions that a macro makes, in
        # the objects that include a file, where they need not be the same.
        self.branches = {}

    def add(self, line):
        number, where = line['line_number'], line.get('function_name', '')
        self.lines[number] += line['count']
        self.functions.setdefault(number, where)
        taken = [branch['count'] > 0 for branch in line['branches'] if not branch['throw']]
        key = number, len(taken)
        before = self.branches.get(key, [False] * len(taken))
        self.branches[key] = [a or b for a, b in zip(before, taken)]

    def leave_out(self, numbers):
        self.branches = {key: taken for key, taken in self.branches.items()
                         if key[0] not in numbers}

    def count(self):
        taken = [is_taken for branch in self.branches.values() for is_taken in branch]
        return Count(len(self.lines), sum(n > 0 for n in self.lines.values()),
                     len(taken), sum(taken))


class Count(collections.namedtuple('Count', 'lines run branches taken')):
    def __add__(self, other):
        return Count(*(a + b for a, b in zip(self, other)))

    def percent(self):
        return (100 * self.run / self.lines if self.lines else 100.0,
                100 * self.taken / self.branches if self.branches else 100.0)


def read_build(gcov, build, files):
    """Add what gcov knows of a build's objects to files."""
    notes = [os.path.join(folder, name) for folder, _, names in os.walk(build)
             for name in names if name.endswith('.gcno')]
    if not notes:
        sys.exit(f'coverage: {build}: no notes of the compiler: not configured --enable-coverage')
    for note in sorted(notes):
        text = subprocess.run([gcov, '--json-format', '--stdout', '--branch-probabilities', note],
                              cwd=build, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
        for document in text.splitlines():
            for source in json.loads(document)['files']:
                path = os.path.relpath(os.path.join(build, source['file']), ROOT)
                if path.split('/')[0] not in FOLDERS:
                    continue
                file = files.setdefault(path, File())
                for line in source['lines']:
                    file.add(line)


def assertions(text):
    """The numbers of the lines on which an assertion stands."""
    numbers, is_inside = set(), False
    for number, line in enumerate(text, 1):
        is_inside = is_inside or re.match(r'\s*assert\(', line) is not None
        if is_inside:
            numbers.add(number)
            is_inside = not line.rstrip().endswith(';')
    return numbers


def not_run(path, file, text):
    """What of a file was not run: lines in a row as one, and branches of lines that were."""
    missed = sorted(number for number, n in file.lines.items() if n == 0)
    known, rows = sorted(file.lines), []
    for number in missed:
        where = file.functions[number]
        if rows and rows[-1][2] == where and known.index(number) == known.index(rows[-1][1]) + 1:
            rows[-1][1] = number
        else:
            rows.append([number, number, where])
    for first, last, where in rows:
        numbers = str(first) if first == last else f'{first}-{last}'
        yield first, f'{path}:{numbers}: {where}(): not run: {text[first - 1].strip()}'
    by_line = collections.defaultdict(list)
    for (number, _), taken in file.branches.items():
        by_line[number] += taken
    for number, taken in by_line.items():
        if file.lines[number] > 0 and not all(taken):
            yield number, (f'{path}:{number}: {file.functions[number]}(): {taken.count(False)} of '
                           f'{len(taken)} branches: {text[number - 1].strip()}')


def read_reasons(path):
    reasons = collections.defaultdict(list)
    with open(path, encoding='utf-8') as lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if not line or line.startswith('#'):
                continue
            name, colon, reason = line.partition(': ')
            if not colon or not reason:
                sys.exit(f'coverage: {path}:{number}: not "FILE: REASON"')
            reasons[name].append(reason)
    return reasons


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--lines', type=float, default=95)
    parser.add_argument('--branches', type=float, default=85)
    parser.add_argument('--reasons', required=True)
    parser.add_argument('--output', required=True)
    parser.add_argument('--gcov', nargs=2, action='append', required=True)
    args = parser.parse_args()

    files = {}
    for gcov, build in args.gcov:
        read_build(gcov, os.path.abspath(build), files)
    reasons = read_reasons(args.reasons)
    misses = lambda percent: percent[0] < args.lines or percent[1] < args.branches
    problems, folders = [], {}
    rows = []
    with open(args.output, 'w', encoding='utf-8') as output:
        for path in sorted(files):
            with open(os.path.join(ROOT, path), encoding='utf-8') as source:
                text = source.read().splitlines()
            file = files[path]
            file.leave_out(assertions(text))
            count = file.count()
            folder = path.split('/')[0]
            folders[folder] = folders.get(folder, Count(0, 0, 0, 0)) + count
            rows.append((path, count))
            for reason in reasons.get(path, []):
                print(f'{path}: {reason}', file=output)
            for _, row in sorted(not_run(path, file, text)):
                print(row, file=output)
            if misses(count.percent()) and path not in reasons:
                problems.append(f'{path}: misses the goals without a reason')
    problems += [f'{path}: has a reason, and is not there' for path in reasons
                 if not os.path.exists(os.path.join(ROOT, path))]

    head = '{:34} {:>7} {:>8} {:>8} {:>8}'
    row = '{:34} {:7.1f} {:8} {:8.1f} {:8}'
    print(head.format('', 'lines %', 'not run', 'branch %', 'not'))
    for name, count in rows + sorted(folders.items()):
        lines, branches = count.percent()
        print(row.format(name, lines, count.lines - count.run, branches,
                         count.branches - count.taken))
    for folder in FOLDERS:
        if folder not in folders or misses(folders[folder].percent()):
            problems.append(f'{folder}/: misses the goals')
    for problem in problems:
        print(f'coverage: {problem}')
    print(f'coverage: goals: {args.lines:g} % of lines, {args.branches:g} % of branches; '
          f'{len(problems)} problems')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())

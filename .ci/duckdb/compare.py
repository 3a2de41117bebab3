"""Compares queries over a file of sign-ins with DuckDB: compare.py HANDLER LOGS

Each query runs five times, in turns: the whole process of `handler query`, and in
a process of its own what DuckDB needs to run the query, with the columns declared
that it reads. The answers must be the same.
"""

import csv
import datetime
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time

ROUNDS = 5

# What a query reads of the logs, and both ways to write it.
TYPES = {"TimeGenerated": "TIMESTAMP", "Status": 'STRUCT("errorCode" BIGINT, "additionalDetails" VARCHAR)'}

QUERIES = [
    ("the rule's filter and grouping",
     """SigninLogs
        | where ResultType == "500121"
        | where Status.additionalDetails =~ "MFA denied; user declined the authentication" or Status.additionalDetails has "fraud"
        | summarize StartTime = min(TimeGenerated), EndTime = max(TimeGenerated), Rejections = count()
            by UserPrincipalName = tolower(UserPrincipalName), UserId, AADTenantId, IPAddress""",
     ["TimeGenerated", "UserPrincipalName", "UserId", "AADTenantId", "IPAddress", "ResultType", "Status"],
     """select lower(UserPrincipalName), UserId, AADTenantId, IPAddress, min(TimeGenerated), max(TimeGenerated), count(*)
        from logs where ResultType = '500121'
        and (lower(Status.additionalDetails) = 'mfa denied; user declined the authentication' or Status.additionalDetails ilike '%fraud%')
        group by all"""),
    ("count and distinct users by application",
     "SigninLogs | summarize SignIns = count(), Users = count_distinct(UserPrincipalName) by AppDisplayName",
     ["AppDisplayName", "UserPrincipalName"],
     "select AppDisplayName, count(*), count(distinct UserPrincipalName) from logs group by all"),
    ("top 10 users",
     "SigninLogs | summarize SignIns = count() by UserPrincipalName | sort by SignIns desc, UserPrincipalName asc | take 10",
     ["UserPrincipalName"],
     "select UserPrincipalName, count(*) as n from logs group by all order by n desc, 1 limit 10"),
    ("has and a nested field, by hour",
     """SigninLogs | where UserAgent has "Windows" and toint(Status.errorCode) != 0
        | summarize SignIns = count() by Hour = bin(TimeGenerated, 1h)""",
     ["TimeGenerated", "UserAgent", "Status"],
     """select time_bucket(interval 1 hour, TimeGenerated), count(*) from logs
        where UserAgent ilike '%windows%' and Status.errorCode <> 0 group by all"""),
    ("sha256 of a column, distinct",
     "SigninLogs | distinct hash_sha256(UserPrincipalName)",
     ["UserPrincipalName"],
     "select distinct sha256(UserPrincipalName) from logs"),
    ("join of failures with successes",
     """SigninLogs | where ResultType != "0" | summarize Failures = count() by UserId, IPAddress
        | join kind=inner (SigninLogs | where ResultType == "0" | summarize Successes = count() by UserId, IPAddress) on UserId, IPAddress
        | project UserId, IPAddress, Failures, Successes""",
     ["UserId", "IPAddress", "ResultType"],
     """with failures as (select UserId, IPAddress, count(*) as n from logs where ResultType <> '0' group by all),
        successes as (select UserId, IPAddress, count(*) as m from logs where ResultType = '0' group by all)
        select UserId, IPAddress, n, m from failures join successes using (UserId, IPAddress)"""),
    ("newest 5 by time",
     "SigninLogs | top 5 by TimeGenerated desc | project TimeGenerated, UserPrincipalName, IPAddress",
     ["TimeGenerated", "UserPrincipalName", "IPAddress"],
     "select TimeGenerated, UserPrincipalName, IPAddress from logs order by TimeGenerated desc limit 5"),
]


def sql(number, logs):
    """The query for DuckDB, over a file whose columns are declared."""
    _, _, names, text = QUERIES[number]
    columns = ", ".join("'%s': '%s'" % (name, TYPES.get(name, "VARCHAR")) for name in names)
    source = "read_json('%s', format='newline_delimited', columns={%s})" % (logs.replace("'", "''"), columns)
    return re.sub(r"\bfrom logs\b", lambda _: "from " + source, text)


def duckdb(number, logs):
    """Runs in a process of its own."""
    import duckdb
    connection = duckdb.connect()
    before, begun = os.times(), time.perf_counter()
    rows = connection.execute(sql(number, logs)).fetchall()
    wall, after = time.perf_counter() - begun, os.times()
    cpu = after.user - before.user + after.system - before.system
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    json.dump({"wall": wall, "cpu": cpu, "peak": peak, "rows": rows}, sys.stdout, default=str)


def ours(handler, number, logs):
    begun = time.perf_counter()
    process = subprocess.Popen([handler, "query", "--logs", logs, "--output", "csv", QUERIES[number][1]],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    answer, problems = process.stdout.read(), process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit("handler: " + problems)
    rows = list(csv.reader(answer.splitlines()))[1:]
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss, "rows": rows}


def theirs(number, logs):
    run = subprocess.run([sys.executable, __file__, str(number), logs], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(run.stdout)


def plain(rows):
    """The cells in one spelling, in an order of their own."""
    def cell(value):
        text = str(value)
        if re.fullmatch(r"\d{4}-\d\d-\d\d[T ][\d:.]+Z?", text):
            moment, _, fraction = text.rstrip("Z").replace("T", " ").partition(".")
            return datetime.datetime.fromisoformat(moment).isoformat() + "." + fraction.ljust(6, "0")[:6]
        return text
    return sorted([cell(value) for value in row] for row in rows)


def main(handler, logs):
    print("%.0f MB, %d rounds, %d cores: medians\n" % (os.path.getsize(logs) / 1e6, ROUNDS, os.cpu_count()))
    print("| work | ours | DuckDB (engine time) | ratio | processor time | ratio | peak |")
    print("|---|---|---|---|---|---|---|")
    for number, (name, _, _, _) in enumerate(QUERIES):
        mine, other = [], []
        for _ in range(ROUNDS):
            mine.append(ours(handler, number, logs))
            other.append(theirs(number, logs))
        if plain(mine[0]["rows"]) != plain(other[0]["rows"]):
            sys.exit("%s: the answers differ: %s ... and %s ..." % (name, plain(mine[0]["rows"])[:3], plain(other[0]["rows"])[:3]))
        wall, cpu = [[statistics.median(run[what] for run in runs) for runs in (mine, other)] for what in ("wall", "cpu")]
        peaks = [max(run["peak"] for run in runs) / 1024 for runs in (mine, other)]
        print("| %s | %.2f s | %.2f s | %.2f | %.2f s / %.2f s | %.2f | %.0f MB / %.0f MB |" % (
            name, *wall, wall[0] / wall[1], *cpu, cpu[0] / cpu[1], *peaks), flush=True)


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        duckdb(int(sys.argv[1]), sys.argv[2])
    else:
        main(*sys.argv[1:])

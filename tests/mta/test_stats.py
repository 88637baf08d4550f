# SPDX-License-Identifier: BSD-2-Clause
"""movedctl stats: what the daemon has counted, as an administrator and a program read it."""

import contextlib
import json
import os
import pwd
import re
import subprocess
import time
import unittest
import urllib.parse
import urllib.request

from lib import milter, place
from lib.daemon import Daemon
from lib.socketmap import Socketmap

RULES, BOARD = place.SOURCE / "contrib/prometheus/milter-moved.rules.yml", place.SOURCE / "contrib/grafana/milter-moved.json"


class Stats(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(place.folder())
        self.daemon = self.stack.enter_context(Daemon(self.folder / "d"))
        self.daemon.hold(("alice@old.example", "alice@new.example"), ("gone@old.example", ""))

    def stats(self):
        return json.loads(self.daemon.movedctl("stats", "--json"))

    def test_every_answer_is_counted_by_who_asked_and_which_rule_decided(self):
        before = self.stats()
        for recipient in ("<alice@old.example>", "<alice@old.example>", "<gone@old.example>", "<bob@old.example>", "<x"):
            milter.ask(self.daemon.address, recipient)
        with self.daemon.session(), Socketmap(self.daemon.lookups) as client:
            client.ask("listed alice@old.example")
            client.ask("listed alice")
            client.ask("reply 192.0.2.7 0 0 gone@old.example")
        after = self.stats()
        counted = {name: value - before[name] for name, value in after.items()
                   if isinstance(value, int) and value != before[name] and "." in name}
        self.assertEqual(counted, {"milter.moved": 2, "milter.gone": 1, "milter.not_listed": 1,
                                   "milter.not_an_address": 1, "listed.moved": 1, "reply.gone": 1})
        self.assertEqual(after["sessions"] - before["sessions"], 6)
        self.assertEqual((after["mode"], after["table"], after["entries"]), ("enforce", "good", 2))

    def test_what_is_observed_is_counted_apart(self):
        self.daemon.configure(mode="observe")
        self.daemon.reload()
        milter.ask(self.daemon.address, "<alice@old.example>")
        stats = self.stats()
        self.assertEqual((stats["mode"], stats["observed.moved"], stats["milter.moved"]), ("observe", 1, 0))

    def test_a_table_that_cannot_be_read_is_said(self):
        (self.daemon.table / "data.mdb").rename(self.folder / "away")
        place.until(lambda: self.stats()["table"] != "good", "the daemon misses its table")
        stats = self.stats()
        self.assertIn("no table there", stats["table"])
        self.assertEqual(stats["entries"], 0)
        (self.folder / "away").rename(self.daemon.table / "data.mdb")
        place.until(lambda: self.stats()["table"] == "good", "the table is back")

    def test_on_paper_what_was_never_counted_is_left_out(self):
        milter.ask(self.daemon.address, "<alice@old.example>")
        lines = dict(line.split(None, 1) for line in self.daemon.movedctl("stats").splitlines())
        self.assertEqual(lines["milter.moved"], "1")
        self.assertNotIn("milter.loop", lines)
        self.assertEqual(lines["log_lines_lost"], "0")

    def test_the_help_names_each_group_of_counters(self):
        said = self.daemon.movedctl("help", "stats")
        for group in {name.split(".")[0] for name in self.stats() if "." in name}:
            self.assertRegex(said, rf"\b{group}\b")

    def test_without_the_daemon_one_line_says_so(self):
        self.daemon.stop()
        done = self.daemon.ctl("stats")
        self.assertEqual((done.returncode, done.stdout), (69, ""))
        self.assertRegex(done.stderr, r"\Amovedctl: unix:\S+lookup\.sock: .*: start milter-moved, or .*\n\Z")

    def test_all_counters_come_in_one_answer(self):
        with Socketmap(self.daemon.lookups) as client:
            lines = client.ask("stats").splitlines()
            self.assertTrue(lines[0].startswith("OK version "), lines)
            self.assertIn("hits_lost 0", lines)
            self.assertTrue(all(" " in line for line in lines), lines)
            self.assertTrue(client.ask("stats 0").startswith("TEMP "))

    def test_what_ends_within_thirty_days_is_counted(self):
        self.daemon.movedctl("add", "a@old.example", "a@new.example", "--for", "20d")
        self.daemon.movedctl("add", "b@old.example", "b@new.example", "--forward-until", "+10d")
        self.daemon.movedctl("add", "c@old.example", "c@new.example", "--for", "31d")
        self.assertEqual(self.stats()["ending_30d"], 2)


def samples(text):
    """Series -> value of Prometheus text, with one # HELP and # TYPE before each metric, and its series behind."""
    found, metric = {}, None
    for line in text.splitlines():
        if begins := re.fullmatch(r"# HELP (milter_moved_[a-z_]+) .+", line):
            metric = begins[1]
        elif line.startswith("# TYPE"):
            assert re.fullmatch(rf"# TYPE {metric} (gauge|counter)", line), line
        else:
            row = re.fullmatch(r"(milter_moved_[a-z_]+)(\{[^{}]*\})? (\S+)", line)
            assert row and row[1] == metric, line
            assert row[1] + (row[2] or "") not in found, line
            found[row[1] + (row[2] or "")] = float(row[3])
    return found


class Prometheus(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(place.folder())
        self.daemon = self.stack.enter_context(Daemon(self.folder / "d"))
        self.daemon.hold(("alice@old.example", "alice@new.example"))

    def read(self):
        return samples(self.daemon.movedctl("stats", "--prometheus"))

    def test_all_series_are_there_from_the_start(self):
        before = self.read()
        milter.ask(self.daemon.address, "<alice@old.example>")
        after = place.until(lambda: found if (found := self.read())["milter_moved_sessions_open"] == 0 else None, "the session is over")
        self.assertEqual(sorted(before), sorted(after))
        changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        self.assertEqual(changed, {"milter_moved_sessions_total": 1, 'milter_moved_recipients_total{mode="enforce",result="moved"}': 1})
        for name in ("up", "table_readable", "table_entries"):
            self.assertEqual(after[f"milter_moved_{name}"], 1, name)
        self.assertEqual(after["milter_moved_observe_mode"], 0)
        self.assertAlmostEqual(after["milter_moved_start_time_seconds"], time.time(), delta=300)
        for name in ('recipients_total{mode="observe",result="loop"}', 'lookups_total{map="reply",result="over_limit"}',
                     'limit_reached_total{scope="client"}', "log_lines_lost_total", "hits_lost_total", 'follow_state{state="in_step"}',
                     "follow_lag_seconds", "sessions_open"):
            self.assertIn(f"milter_moved_{name}", after)
        self.assertEqual([value for name, value in after.items() if "build_info" in name], [1])

    def test_without_the_daemon_up_is_0(self):
        self.daemon.stop()
        done = self.daemon.ctl("stats", "--prometheus")
        self.assertEqual(done.returncode, 69)
        found = samples(done.stdout)
        self.assertEqual(found["milter_moved_up"], 0)
        self.assertNotIn("milter_moved_sessions_total", found)

    def test_a_file_is_written_whole_or_not_at_all(self):
        file = self.folder / "milter-moved.prom"
        self.daemon.movedctl("stats", "--prometheus", "--output", file)
        first = file.stat().st_ino
        self.daemon.movedctl("stats", "--prometheus", "--output", file)
        self.assertNotEqual(file.stat().st_ino, first)
        self.assertEqual(samples(file.read_text())["milter_moved_up"], 1)
        self.assertEqual(file.stat().st_mode & 0o777, 0o644)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["d", "milter-moved.prom"])
        done = self.daemon.ctl("stats", "--prometheus", "--output", self.folder / "none" / "x.prom")
        self.assertEqual((done.returncode, done.stderr), (73, f"movedctl: {self.folder}/none/x.prom: No such file or directory\n"))
        self.assertEqual(self.daemon.ctl("stats", "--output", file).returncode, 64)
        self.assertEqual(self.daemon.ctl("stats", "--prometheus", "--json").returncode, 64)

    def test_what_is_no_file_stays(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        done = self.daemon.ctl("stats", "--prometheus", "--output", fifo)
        self.assertEqual(done.returncode, 73, done.stderr)
        self.assertTrue(fifo.is_fifo())

    def test_a_state_that_cannot_be_read_is_not_taken_for_a_host_that_follows_nothing(self):
        lag = "milter_moved_follow_lag_seconds"
        self.assertEqual(self.read()[lag], 0)
        state = self.daemon.table / "follow.json"
        state.write_text('{"state": ')
        self.assertEqual(self.read()[lag], float("inf"))
        state.write_text(json.dumps({"state": "in step", "contact": int(time.time()) - 5}))
        self.assertGreaterEqual(self.read()[lag], 5)
        if os.geteuid() == 0:  # the collector's folder is often its own user's, who may not read the table's
            theirs = self.folder / "collector"
            theirs.mkdir()
            os.chown(theirs, *pwd.getpwnam("nobody")[2:4])
            self.daemon.movedctl("stats", "--prometheus", "--output", theirs / "x.prom")
            found = samples((theirs / "x.prom").read_text())
            self.assertEqual(found['milter_moved_follow_state{state="in_step"}'], 1)

    def test_a_host_that_is_to_follow_a_store_and_has_never_done_so(self):
        self.daemon.configure(source={"connect": "host=/nonexistent"})
        found = self.read()
        self.assertEqual(found['milter_moved_follow_state{state="never"}'], 1)
        self.assertEqual(found["milter_moved_follow_lag_seconds"], float("inf"))

    def test_a_disk_that_is_full_leaves_the_file(self):
        if os.environ.get("TESTED_KIND") == "tsan":
            self.skipTest("ThreadSanitizer keeps shadow memory in a file, which the limit cuts short")
        file = self.folder / "milter-moved.prom"
        self.daemon.movedctl("stats", "--prometheus", "--output", file)
        before = file.read_text()
        done = subprocess.run(["sh", "-c", 'ulimit -f 1; exec "$@"', "-", *place.program("movedctl"), "-c", self.daemon.conf,
                               "stats", "--prometheus", "--output", file], capture_output=True, text=True, timeout=place.PATIENCE)
        self.assertEqual(done.returncode, 74, done.stderr)
        self.assertEqual(file.read_text(), before)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["d", "milter-moved.prom"])

    def test_promtool_takes_the_metrics_and_the_alert_rules(self):
        promtool = place.unpacked("prometheus") / "usr/bin/promtool"
        for words, text in ((("check", "metrics"), self.daemon.movedctl("stats", "--prometheus")),
                            (("check", "rules", RULES), "")):
            done = subprocess.run([promtool, *words], input=text, capture_output=True, text=True, timeout=place.PATIENCE)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_dashboard_is_one_that_grafana_imports(self):
        """As its documentation of the dashboard JSON model says."""
        board = json.loads(BOARD.read_text())
        self.assertIsInstance(board["schemaVersion"], int)
        self.assertRegex(board["uid"], r"\A[A-Za-z0-9_-]{1,40}\Z")
        self.assertIsNone(board.get("id"))  # the number is Grafana's own
        variables = {variable["name"]: variable for variable in board["templating"]["list"]}
        self.assertEqual((variables["datasource"]["type"], variables["datasource"]["query"]), ("datasource", "prometheus"))
        source = {"type": "prometheus", "uid": "${datasource}"}
        self.assertEqual([variable["datasource"] for variable in variables.values() if variable["type"] == "query"], [source])
        panels, taken = board["panels"], set()
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        for panel in panels:
            where = panel["gridPos"]
            cells = {(x, y) for x in range(where["x"], where["x"] + where["w"]) for y in range(where["y"], where["y"] + where["h"])}
            self.assertTrue(cells and not cells & taken and max(x for x, y in cells) < 24, f"{panel['title']}: its place")
            taken |= cells
            self.assertIn(panel["type"], ("stat", "timeseries"))
            self.assertEqual(panel["datasource"], source, panel["title"])
            self.assertIn("defaults", panel["fieldConfig"])
            self.assertEqual(len({target["refId"] for target in panel["targets"]}), len(panel["targets"]), panel["title"])
            for target in panel["targets"]:
                used = set(re.findall(r"\$\{?(\w+)", target["expr"] + target.get("legendFormat", "")))
                self.assertLessEqual(used - {"__rate_interval"}, set(variables), panel["title"])

    def test_each_metric_of_the_alerts_and_the_dashboard_exists(self):
        known = {name.split("{")[0] for name in self.read()}
        for path in (RULES, BOARD):
            named = set(re.findall(r"milter_moved_[a-z_]+", path.read_text()))
            self.assertTrue(named, path)
            self.assertEqual(named - known, set(), path)

    def test_each_alert_fires_when_it_should_and_not_before(self):
        """promtool test rules: a series is good for ten minutes and then bad, a sample a minute; an hour for the alert that takes days."""
        cases = (("Down", "up", "1x9 0x20", 15), ("TableUnreadable", "table_readable", "1x9 0x20", 12), ("TableEmpty", "table_entries", "5x9 0x20", 20),
                 ("Observes", "observe_mode", "0x9 1x400", 10 + 14 * 24), ("LimitReached", 'limit_reached_total{scope="client"}', "0x9 1x20", 10),
                 ("Loop", 'recipients_total{mode="enforce",result="loop"}', "0x9 1x20", 10), ("LogLinesLost", "log_lines_lost_total", "0x9 1x20", 10),
                 ("HitsLost", "hits_lost_total", "0x9 1x20", 10), ("FollowHeld", 'follow_state{state="held"}', "0x9 1x20", 15),
                 ("FollowStopped", 'follow_state{state="refused"}', "0x9 1x20", 20), ("FollowStopped", 'follow_state{state="never"}', "0x9 1x20", 20),
                 ("FollowLag", "follow_lag_seconds", "0x9 400x20", 15),
                 ("MetricsOld", 'node_textfile_mtime_seconds{file="/var/lib/milter-moved.prom"}', "0x40", 16))
        self.assertEqual({f"MilterMoved{name}" for name, *_ in cases}, set(re.findall(r"alert: (\w+)", RULES.read_text())))
        for unit in "m", "h":
            tests = [self.alert(unit, *case) for case in cases if (case[0] == "Observes") == (unit == "h")]
            file = self.folder / "alerts.json"  # which is YAML too
            file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": f"1{unit}", "tests": tests}))
            done = subprocess.run([place.unpacked("prometheus") / "usr/bin/promtool", "test", "rules", file], capture_output=True,
                                  text=True, timeout=place.PATIENCE)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @staticmethod
    def alert(unit, name, series, values, when):
        metric, _, labels = series.partition("{")
        metric = metric if metric.startswith("node_") else f"milter_moved_{metric}"
        given = [{"series": metric + '{instance="mx1",' + labels.rstrip("}") + "}", "values": values},
                 {"series": 'milter_moved_table_readable{instance="mx1"}', "values": "1x40"}]
        fires = 'count(ALERTS{alertstate="firing",alertname="MilterMoved%s"})' % name
        return {"interval": f"1{unit}", "input_series": given[:1 if name == "TableUnreadable" else 2], "promql_expr_test": [
            {"expr": 'count(ALERTS{alertstate="firing"})', "eval_time": f"{when - 1}{unit}", "exp_samples": []},
            {"expr": fires, "eval_time": f"{when + 1}{unit}", "exp_samples": [{"labels": "{}", "value": 1}]}]}


class Scraped(unittest.TestCase):
    """A Prometheus that scrapes node_exporter, which reads what movedctl stats --output wrote."""

    def ask(self, path, **query):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=place.PATIENCE) as answer:
            return json.load(answer)["data"]

    def start(self, stack, folder):
        with Daemon(folder / "d") as daemon:
            daemon.hold(("alice@old.example", "alice@new.example"))
            (folder / "textfile").mkdir()
            daemon.movedctl("stats", "--prometheus", "--output", folder / "textfile/milter-moved.prom")
        node, self.port = place.free_ports(2)
        conf = folder / "prometheus.json"
        conf.write_text(json.dumps({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [str(RULES)],
                                    "scrape_configs": [{"job_name": "node", "static_configs": [{"targets": [f"127.0.0.1:{node}"]}]}]}))
        for name, *command in (("node-exporter", "usr/bin/prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
                                f"--collector.textfile.directory={folder}/textfile", f"--web.listen-address=127.0.0.1:{node}"),
                               ("prometheus", "usr/bin/prometheus", f"--config.file={conf}", f"--storage.tsdb.path={folder}/tsdb",
                                f"--web.listen-address=127.0.0.1:{self.port}")):
            command[0] = place.unpacked(name) / command[0]
            stack.callback(place.Process(command, folder / f"{name}.log").end)
        place.until(self.is_ready, "Prometheus is ready", (folder / "prometheus.log").read_text)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=place.PATIENCE):
                return True
        except OSError:
            return False

    def test_each_expression_of_dashboard_and_alerts_gives_a_result(self):
        with contextlib.ExitStack() as stack:
            self.start(stack, stack.enter_context(place.folder()))
            targets = [target for panel in json.loads(BOARD.read_text())["panels"] for target in panel["targets"]]
            shown = [target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*") for target in targets]
            for expression in shown:
                if "== 1" in expression:  # the state, of a host that follows
                    self.ask("query", query=expression)
                    expression = expression.removesuffix("== 1")
                place.until(lambda: self.ask("query", query=expression)["result"], f"a result of {expression}")
            place.until(lambda: self.ask("query", query="node_textfile_mtime_seconds")["result"], "node_exporter tells how old the file is")

            def rules():
                return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
            place.until(lambda: rules() and all(rule["health"] == "ok" for rule in rules()), "each alert was evaluated")
            self.assertEqual([rule["name"] for rule in rules() if rule["state"] != "inactive"], [])


if __name__ == "__main__":
    unittest.main()

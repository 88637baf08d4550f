# SPDX-License-Identifier: BSD-2-Clause
"""What the tests against real mail servers stand on: places, processes, our daemon, Postfix, Sendmail, SMTP, the milter protocol.

Python's standard library alone. Everything that starts here is a context and ends with it; everything listens on loopback.
"""

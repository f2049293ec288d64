#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# books.sh while Redis and Unbound are killed.
exec "$(dirname "$0")/books.sh" faults

#!/usr/bin/env bash
# The manual pages and --help name the same options; each exit status of holdfast.h is in the command's page.
set -euo pipefail
bad=0
for tool in holdfast holdfast-emulator; do
	page=$HOLDFAST_SOURCE/man/$tool.1
	diff <("$HOLDFAST_BIN/$tool" --help | grep -oE '^ +--[a-z-]+' | tr -d ' ' | sort -u) \
		<(grep -oE 'Fl -[a-z-]+' "$page" | sed 's/^Fl /-/' | sort -u) ||
		{ echo "pages.sh: only $tool --help (<), or only man/$tool.1 (>), has these" >&2; bad=1; }
done
diff <(grep -oE 'HF_ERR_[A-Z]+ = -[0-9]+' "$HOLDFAST_SOURCE/include/holdfast.h" | grep -oE '[0-9]+$' | sort -n) \
	<(sed -n '/^\.Sh EXIT STATUS/,/^\.El/p' "$HOLDFAST_SOURCE/man/holdfast.1" | grep -oE '^\.It [1-9][0-9]*' | tr -dc '0-9\n') ||
	{ echo "pages.sh: only holdfast.h (<), or only the table in man/holdfast.1 (>), has these" >&2; bad=1; }
exit $bad

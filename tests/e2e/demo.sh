#!/usr/bin/env bash
# The demo works, leaves nothing behind, and README.md shows what it prints (but for what each run makes anew).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/tmp"
TMPDIR=$dir/tmp bash "$HOLDFAST_SOURCE/samples/demo.sh" >"$dir/printed"
[ -z "$(ls -A "$dir/tmp")" ] || { echo "demo.sh: the demo has left files: $(ls "$dir/tmp")" >&2; exit 1; }

anew() {
	sed -E 's/[a-z2-7]{52}/ID/; s/[a-z2-7]{12}\.\.\.[a-z2-7]{6}/ID/; s/0ne[0-9]{8}/SCOPE/; s/127\.0\.0\.[23]/HUB/
		s/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/GUID/; s/in [0-9]+ seconds/in N seconds/'
}
diff <(sed -n '/^```$/,/^```$/p' "$HOLDFAST_SOURCE/README.md" | sed '/^```$/d' | anew) \
	<(sed -n '/^4\. /,$p' "$dir/printed" | anew) ||
	{ echo "demo.sh: README.md shows other lines (<) than the demo prints (>)" >&2; exit 1; }

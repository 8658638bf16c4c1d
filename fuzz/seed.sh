#!/bin/sh
# Seeds the corpus of every target with the captures of the tests, and with what never ends, over and over: a reader that
# begins again at each place takes too long for them. Corpora are not kept in the repository.
set -eu
cd "$(dirname "$0")"
repeated='
<
<a
<a "
</a
<!--
<a>
<title>
&#
.mpd
.m3u8
src="
urn:
urn:device:
a="
",a="
" 
=
%3D
%25
\u0041
&amp;
user=
user=a_password=
://
rtsp://a@
:
a:
{"a":
{a: 
[
#EXT-X-STREAM-INF:
a=fmtp:96 a=b;
PLAY 
RTSP/1.0 
$
'
for target in fuzz_targets/*.rs; do
    corpus=corpus/$(basename "$target" .rs)
    mkdir -p "$corpus"
    find ../tests/data -type f -size -64k | while read -r capture; do
        cp "$capture" "$corpus/$(echo "$capture" | sed 's,^../tests/data/,,; s,/,-,g')"
    done
    number=0
    printf '%s' "$repeated" | while IFS= read -r unit; do
        number=$((number + 1))
        # A pipe that is closed ends `yes`.
        [ -z "$unit" ] || yes "$unit" 2>/dev/null | tr -d '\n' | head -c 65536 >"$corpus/repeated-$number"
    done
done

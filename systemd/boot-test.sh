#!/bin/sh
# Boots systemd in a container over this machine's /usr and runs srd.service under it: readiness,
# reload, watchdog, drain, restarts behind the socket unit. Needs root and systemd-nspawn; exits with
# 77, saying why, where it cannot run. systemd/boot-test.sh [PATH TO THE srd COMMAND]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
srd=${1:-$root/.venv/bin/srd}
skip() { echo "skipped: $1" >&2; exit 77; }
[ "$(id -u)" = 0 ] || skip "not root"
command -v systemd-nspawn >/dev/null || skip "no systemd-nspawn (Debian: systemd-container)"
[ -x "$srd" ] || skip "$srd is not there"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/out" "$work/tree"
DESTDIR=$work/tree "$here/install.sh" "$srd" >/dev/null
units="$work/tree/etc/systemd/system"
cp "$here/boot-probe.sh" "$work/tree/probe.sh"
cat >"$units/probe.service" <<UNIT
[Unit]
After=basic.target
[Service]
Type=oneshot
Environment=SRD=$srd
ExecStart=/bin/sh /srd-test/probe.sh
StandardOutput=file:/out/log
StandardError=file:/out/log
ExecStopPost=/usr/bin/systemctl poweroff --force --force
UNIT
set -- --bind-ro="$work/tree:/srd-test" --bind="$work/out:/out" --bind-ro="$root:$root"
python=$(readlink -f "$(dirname "$srd")/python3")
case $python in /usr/bin/*) ;; *) home=$(dirname "$(dirname "$python")"); set -- "$@" --bind-ro="$home:$home" ;; esac
for unit in srd.service srd.socket probe.service; do
  set -- "$@" --bind-ro="$units/$unit:/etc/systemd/system/$unit"
done
timeout 120 systemd-nspawn -q -D / --volatile=yes --register=no --keep-unit "$@" \
  -b systemd.unit=probe.service systemd.firstboot=off </dev/null >"$work/console" 2>&1 || {
  cat "$work/console" >&2; [ -s "$work/out/log" ] || skip "this machine cannot boot a container"; }
cat "$work/out/log"
tail -n 1 "$work/out/log" | grep -qx "all good"

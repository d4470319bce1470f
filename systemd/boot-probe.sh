# Runs inside the container that boot-test.sh boots, as root, after basic.target.
set -u
ok() { echo "ok: $1"; }
fail() { echo "FAILED: $1"; systemctl status --no-pager srd.service srd.socket; journalctl --no-pager -n 60 -u srd.service; exit 1; }
property() { systemctl show -p "$1" --value srd.service; }
until_equal() { # property, value: looks up to ten seconds
  i=0
  while [ "$(property "$1")" != "$2" ]; do i=$((i + 1)); [ $i -lt 100 ] || fail "$1 is $(property "$1"), not $2"; sleep 0.1; done
}
mkdir -p /etc/srd /etc/default /run/systemd/system/srd.service.d
cp /srd-test/etc/srd/srd.yaml /etc/srd/srd.yaml
printf '[Service]\nWatchdogSec=2\n' >/run/systemd/system/srd.service.d/fast.conf
# An interpreter in somebody's home is for developers: the unit rightly cannot see it.
case $(readlink -f "$(dirname "$SRD")/python3") in /root/*|/home/*)
  chmod 755 /root
  printf 'ProtectHome=no\n' >>/run/systemd/system/srd.service.d/fast.conf ;;
esac
systemctl daemon-reload

systemctl start srd.service || fail "start"
"$SRD" healthcheck >/dev/null || fail "started, but not ready"
ok "systemctl start returns when srd is ready"
pid=$(property MainPID)
grep -q '^CapEff:.0*$' "/proc/$pid/status" && grep -q '^NoNewPrivs:.1$' "/proc/$pid/status" || fail "privileges"
[ "$(stat -c %u "/proc/$pid")" -ge 61184 ] || fail "not a dynamic user"
ok "a dynamic user without capabilities"

systemctl reload srd.service || fail "reload"
[ "$(property MainPID)" = "$pid" ] && [ "$(property ActiveState)" = active ] || fail "reload changed the process"
ok "reload keeps the process"

kill -STOP "$pid"
until_equal NRestarts 1
until_equal ActiveState active
[ "$(property MainPID)" != "$pid" ] || fail "the watchdog let a stopped process live"
ok "the watchdog ends a process that hangs, and it comes back"

systemctl stop srd.service || fail "stop"
[ "$(property Result)" = success ] || fail "result of the stop: $(property Result)"
ok "stop drains and ends well"

systemctl start srd.socket || fail "socket"
"$SRD" healthcheck --timeout 20 >/dev/null || fail "the first connection did not start it"
ok "a connection to the socket starts srd"
failures=$(mktemp)
( i=0; while [ $i -lt 15 ]; do "$SRD" healthcheck --timeout 20 >/dev/null || echo lost >>"$failures"; i=$((i + 1)); done ) &
sleep 0.5
systemctl restart srd.service || fail "restart"
wait
[ ! -s "$failures" ] || fail "$(wc -l <"$failures") of 15 connections were lost across a restart"
ok "no connection is refused across a restart behind the socket"
echo "all good"

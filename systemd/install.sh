#!/bin/sh
# Installs the units: systemd/install.sh [SRD] with DESTDIR and PREFIX as usual. SRD is the command
# that the units run (default: the srd on the PATH). Nothing is started, no file of /etc is replaced.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
srd=${1:-$(command -v srd)}
case $srd in /*) ;; *) echo "install.sh: $srd is not an absolute path" >&2; exit 1 ;; esac
units=${DESTDIR:-}${UNITDIR:-/etc/systemd/system}
etc=${DESTDIR:-}/etc
mkdir -p "$units" "$etc/default" "$etc/srd"
for unit in srd.service srd@.service; do
  sed "s|/usr/bin/srd |$srd |" "$here/$unit" >"$units/$unit"
done
cp "$here/srd.socket" "$units/"
for conf in gpu tls; do # to be copied to srd.service.d by those who want them
  mkdir -p "${DESTDIR:-}/usr/share/srd/srd.service.d"
  sed "s|/usr/bin/srd |$srd |" "$here/srd.service.d/$conf.conf" >"${DESTDIR:-}/usr/share/srd/srd.service.d/$conf.conf"
done
[ -e "$etc/default/srd" ] || cp "$here/default/srd" "$etc/default/srd"
[ -e "$etc/srd/srd.yaml" ] || cp "$here/../srd/config/default.yaml" "$etc/srd/srd.yaml"
echo "next: systemctl daemon-reload && systemctl enable --now srd (or srd.socket)"

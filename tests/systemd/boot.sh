#!/bin/sh
# Starts systemd as process 1 over a copy-on-write view of the root file system. Runs as root in new
# namespaces, and changes nothing outside of them but the control group.
# $1: the name of the control group to create. $2: an empty folder. $3: the folder with the files to
# install. Then the folders of this machine to show.
set -eu
if [ "$1" != entered ]; then
  mount -t cgroup2 cgroup2 "$2"
  group=$2$(sed -n 's/^0:://p' /proc/self/cgroup)/$1
  mkdir "$group"
  echo 0 > "$group/cgroup.procs"
  umount "$2"
  shift
  exec unshare --cgroup sh "$0" entered "$@"
fi
new=$2
files=$3
shift 3
mount -t tmpfs tmpfs "$new"
mkdir "$new/changes" "$new/work" "$new/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$new/changes,workdir=$new/work" "$new/root"
cd "$new/root"
for folder in dev run tmp var/tmp opt etc/systemd/system; do mount -t tmpfs tmpfs "$folder"; done
chmod 1777 tmp var/tmp
# Last, because these tests or their Python may be in one of the empty folders.
for folder in "$@"; do
  mkdir -p ".$folder"
  mount --bind "$folder" ".$folder"
done
cp -R "$files/." .
for device in null zero full random urandom tty; do
  : > dev/$device
  mount --bind /dev/$device dev/$device
done
mkdir dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
mount -t proc proc proc
# The kernel's settings are shared with this machine.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
echo 00000000000000000000000000000001 > etc/machine-id
ip link set lo up
mkdir run/old
pivot_root . run/old
umount -l /run/old
# systemd moves the folder with the credentials to the service, which needs shared mounts.
mount --make-rshared /
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system \
  --unit=basic.target --log-target=console --show-status=no

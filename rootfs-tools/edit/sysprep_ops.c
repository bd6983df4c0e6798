/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/sysprep_ops.h"

#include "rootfs-tools/edit/first_boot.h"
#include "rootfs-tools/edit/identity.h"
#include "runner/base/cleanup.h"

/* What one paths is, many are. */
static int remove_all(struct sysprep *p, const char *const *paths, struct err *e)
{
	int r = 0;

	for (; r == 0 && *paths; paths++)
		r = sweep(&p->sweep, &(struct sweep_rule){ SWEEP_REMOVE, *paths, NULL }, e);
	return r;
}

static int hwdb(struct sysprep *p, struct err *e)
{
	/* systemd compiles it anew where /usr is newer than the latter: at the next boot. */
	static const char *const files[] = { "/etc/udev/hwdb.bin", "/etc/.updated", NULL };

	return identity_has(p->sweep.root, files[0]) ? remove_all(p, files, e) : 0;
}

static int machine_id(struct sysprep *p, struct err *e)
{
	static const struct sweep_rule empty = { SWEEP_EMPTY, IDENTITY_ID, NULL },
				       removed = { SWEEP_REMOVE, IDENTITY_ID, NULL },
				       dbus = { SWEEP_REMOVE, IDENTITY_DBUS_DIR "/machine-id",
						NULL };
	/* It makes one where none is, and fails on an empty one. */
	bool by_dbus = !identity_has_systemd(p->sweep.root) &&
		       identity_has(p->sweep.root, IDENTITY_DBUS_UUIDGEN);
	int r = 0;

	if (!identity_wants_first_boot(p->sweep.root))
		r = sweep(&p->sweep, by_dbus ? &removed : &empty, e);
	/* Made anew by tmpfiles.d, or by the init script of D-Bus. */
	return r == 0 ? sweep(&p->sweep, &dbus, e) : r;
}

static int random_seed(struct sysprep *p, struct err *e)
{
	return remove_all(p, identity_seeds, e);
}

static int reconfiguration(struct sysprep *p, struct err *e)
{
	static const char word[] = "uninitialized\n";
	int r = sweep_write(&p->sweep, "/.unconfigured", &(struct change_attrs){ .mode = 0644 },
			    "", 0, e);

	if (r == 0 && identity_has_systemd(p->sweep.root))
		r = sweep_write(&p->sweep, IDENTITY_ID, &(struct change_attrs){ .mode = 0444 },
				word, sizeof(word) - 1, e);
	return r;
}

static int host_keys(struct sysprep *p, struct err *e)
{
	int r = remove_all(p, identity_host_keys, e);

	return r == 0 ? first_boot_install(&p->sweep, e) : r;
}

#define RULES(...) ((const struct sweep_rule[]){ __VA_ARGS__, { 0 } })
#define REMOVE(pattern) { SWEEP_REMOVE, pattern, NULL }
#define TREE(pattern) { SWEEP_REMOVE_TREE, pattern, NULL }
#define EMPTY(pattern) { SWEEP_EMPTY, pattern, NULL }
#define UNSET(pattern, variables) { SWEEP_UNSET, pattern, variables }
#define BACKUPS(dir) REMOVE(dir "/**/*~"), REMOVE(dir "/**/*.bak")
#define INTERFACES "/etc/sysconfig/network-scripts/ifcfg-*"

const struct sysprep_op sysprep_ops[] = {
	{ "abrt-data", "crash data of ABRT", true,
	  RULES(TREE("/var/spool/abrt/*"), TREE("/var/tmp/abrt/*")), NULL },
	{ "account-data", "faces and settings that a login screen keeps, and finger prints", true,
	  RULES(TREE("/var/lib/AccountService/users/*"), TREE("/var/lib/AccountsService/users/*"),
		TREE("/var/lib/AccountsService/icons/*"), TREE("/var/lib/fprint/*"),
		TREE("/var/cache/gdm/*")),
	  NULL },
	{ "backup-files", "editors' backups *~ and *.bak, in /etc, /root, /srv, /tmp and /var", true,
	  RULES(BACKUPS("/etc"), BACKUPS("/root"), BACKUPS("/srv"), BACKUPS("/tmp"),
		BACKUPS("/var")),
	  NULL },
	{ "blkid-tab", "the list of block devices that were seen", true,
	  RULES(REMOVE("/etc/blkid.tab*"), REMOVE("/etc/blkid/blkid.tab*"),
		REMOVE("/run/blkid/*"), REMOVE("/var/run/blkid.tab*")),
	  NULL },
	{ "ca-certificates", "certificates and keys of an own CA, and of this host", false,
	  RULES(REMOVE("/etc/pki/CA/certs/*.crt"), REMOVE("/etc/pki/CA/crl/*.crt"),
		REMOVE("/etc/pki/CA/newcerts/*.crt"), REMOVE("/etc/pki/CA/private/*.key"),
		REMOVE("/etc/pki/tls/private/*.key"),
		REMOVE("/etc/pki/tls/certs/!(ca-bundle|ca-bundle.trust).crt"),
		REMOVE("/usr/local/share/ca-certificates/**/*.crt")),
	  NULL },
	{ "cloud-init", "what cloud-init knows of this instance, and the network that it set up",
	  true,
	  RULES(TREE("/var/lib/cloud/!(seed)"), REMOVE("/etc/netplan/50-cloud-init.yaml"),
		REMOVE("/etc/network/interfaces.d/50-cloud-init*")),
	  NULL },
	{ "crash-data", "crash dumps of kernels and programs", true,
	  RULES(TREE("/var/crash/*"), TREE("/var/log/dump/*"),
		TREE("/var/lib/systemd/coredump/*"), TREE("/var/lib/systemd/pstore/*"),
		TREE("/var/lib/apport/coredump/*")),
	  NULL },
	{ "cron-spool", "users' at and cron jobs", true,
	  RULES(REMOVE("/var/spool/cron/[!.]*"),
		REMOVE("/var/spool/cron/@(crontabs|tabs|lastrun|atjobs|atspool)/[!.]*"),
		REMOVE("/var/spool/at/[!.]*"), REMOVE("/var/spool/at/spool/*"),
		REMOVE("/var/spool/atjobs/[!.]*"), REMOVE("/var/spool/atspool/*")),
	  NULL },
	{ "dhcp-client-state", "leases, and what a DHCP client calls itself", true,
	  RULES(REMOVE("/var/lib/dhclient/*"), REMOVE("/var/lib/dhcp/!(dhcpd*)"),
		REMOVE("/var/lib/dhcpcd*/**/*"), REMOVE("/var/db/dhcpcd/*"),
		REMOVE("/etc/dhcpcd.@(duid|secret)"),
		REMOVE("/var/lib/NetworkManager/*.lease"),
		REMOVE("/var/lib/wicked/@(duid|iaid|lease-*).xml")),
	  NULL },
	{ "dhcp-server-state", "leases that a DHCP server gave", true,
	  RULES(REMOVE("/var/lib/dhcp/dhcpd*~"), EMPTY("/var/lib/dhcp/dhcpd*.leases"),
		REMOVE("/var/lib/dhcpd/*~"), EMPTY("/var/lib/dhcpd/*.leases"),
		REMOVE("/var/lib/kea/kea-leases*"), REMOVE("/var/lib/misc/dnsmasq*.leases")),
	  NULL },
	{ "dovecot-data", "data of Dovecot, a mail server", true, RULES(TREE("/var/lib/dovecot/*")),
	  NULL },
	{ "firewall-rules", "own rules of iptables and firewalld", false,
	  RULES(REMOVE("/etc/sysconfig/@(iptables|ip6tables)"),
		REMOVE("/etc/firewalld/@(services|zones)/*"), REMOVE("/etc/iptables/rules.v[46]")),
	  NULL },
	{ "flag-reconfiguration", "ask for the basic settings at the next boot: /.unconfigured, "
	  "and machine-id \"uninitialized\"", false, NULL, reconfiguration },
	{ "ipa-client", "enrolment at an IPA server", true,
	  RULES(REMOVE("/etc/ipa/ca.crt"), REMOVE("/etc/ipa/default.conf"),
		REMOVE("/var/lib/ipa-client/sysrestore/*"), REMOVE("/var/lib/ipa-client/pki/*"),
		REMOVE("/etc/pki/ca-trust/source/ipa.p11-kit"),
		REMOVE("/etc/pki/ca-trust/source/anchors/ipa-ca.crt")),
	  NULL },
	{ "kerberos-data", "the database of a Kerberos server", false,
	  RULES(REMOVE("/var/kerberos/krb5kdc/!(kadm5.acl|kdc.conf)"),
		REMOVE("/var/lib/krb5kdc/*"), REMOVE("/etc/krb5kdc/stash")),
	  NULL },
	{ "kerberos-hostkeytab", "the host's Kerberos key", true, RULES(REMOVE("/etc/krb5.keytab")),
	  NULL },
	{ "logfiles", "logs: old and installers' ones removed, others emptied; the journal", true,
	  RULES(TREE("/var/log/journal/*"), TREE("/var/log/@(installer|anaconda)/*"),
		REMOVE("/var/log/@(sa|sysstat)/*"), REMOVE("/var/log/**/*.@(gz|bz2|xz|zst|old)"),
		REMOVE("/var/log/**/*.[0-9]"), REMOVE("/var/log/**/*.[0-9][0-9]"),
		REMOVE("/var/log/**/*-[12][0-9][0-9][0-9][01][0-9][0-3][0-9]*"),
		EMPTY("/var/log/**/*"),
		REMOVE("/root/@(anaconda-ks|initial-setup-ks|original-ks).cfg"),
		REMOVE("/root/@(anaconda-post|install).log*"),
		REMOVE("/var/lib/logrotate.status"),
		REMOVE("/var/lib/logrotate/@(status|logrotate.status)"),
		REMOVE("/var/named/data/named.run*"),
		REMOVE("/etc/Pegasus/*.@(cnf|crt|csr|pem|srl)")),
	  NULL },
	{ "lvm-system-devices", "the disks that LVM is told to use, and its backups", true,
	  RULES(REMOVE("/etc/lvm/devices/*.devices*"), REMOVE("/etc/lvm/@(archive|backup)/*"),
		REMOVE("/etc/lvm/cache/.cache")),
	  NULL },
	{ "machine-id", "the machine-id, to be made at the next boot", true, NULL, machine_id },
	{ "mail-spool", "mail, read or still to be sent", true,
	  RULES(TREE("/var/spool/mail/*"), TREE("/var/mail/*"),
		REMOVE("/var/spool/exim4/@(input|msglog|db)/**/*"),
		REMOVE("/var/spool/postfix/@(active|bounce|corrupt|defer|deferred|flush|hold|"
		       "incoming|maildrop|saved|trace)/**/*"),
		REMOVE("/var/spool/@(mqueue|clientmqueue)/*")),
	  NULL },
	{ "net-hostname", "HOSTNAME and DHCP_HOSTNAME of " INTERFACES, true,
	  RULES(UNSET(INTERFACES, "HOSTNAME DHCP_HOSTNAME")), NULL },
	{ "net-hwaddr", "HWADDR of " INTERFACES, true, RULES(UNSET(INTERFACES, "HWADDR")), NULL },
	{ "net-nmconn", "connections of NetworkManager, and its key", true,
	  RULES(REMOVE("/etc/NetworkManager/system-connections/*.nmconnection"),
		REMOVE("/var/lib/NetworkManager/@(secret_key|seen-bssids|timestamps)")),
	  NULL },
	{ "pacct-log", "process accounting", true,
	  RULES(REMOVE("/var/account/pacct[-.]*"), EMPTY("/var/account/pacct"),
		REMOVE("/var/log/account/pacct[-.]*"), EMPTY("/var/log/account/pacct")),
	  NULL },
	{ "package-lists", "lists of packages that can be had, until the next update", false,
	  RULES(REMOVE("/var/lib/apt/lists/!(lock)"), REMOVE("/var/lib/apt/lists/auxfiles/*"),
		REMOVE("/var/lib/pacman/sync/*")),
	  NULL },
	{ "package-manager-cache", "packages that were fetched", true,
	  RULES(REMOVE("/var/cache/apt/archives/!(lock)"),
		REMOVE("/var/cache/apt/archives/partial/*"), REMOVE("/var/cache/apt/*.bin"),
		TREE("/var/cache/@(dnf|yum|libdnf5|PackageKit)/*"), TREE("/var/cache/zypp*/*"),
		TREE("/var/cache/pacman/pkg/*"), TREE("/var/cache/apk/*"),
		TREE("/var/lib/snapd/cache/*")),
	  NULL },
	{ "pam-data", "failed and console logins that PAM counts", true,
	  RULES(REMOVE("/run/@(console|faillock|sepermit)/*"),
		REMOVE("/var/run/@(console|faillock|sepermit)/*"), REMOVE("/var/lib/faillock/*")),
	  NULL },
	{ "passwd-backups", "/etc/passwd- and the like, and Debian's in /var/backups", true,
	  RULES(REMOVE("/etc/@(passwd|shadow|group|gshadow|subuid|subgid)-"),
		REMOVE("/var/backups/@(passwd|shadow|group|gshadow).bak*")),
	  NULL },
	{ "program-caches", "caches of fonts, manual pages and libraries, and debconf's old data",
	  true,
	  RULES(TREE("/var/cache/@(fontconfig|man)/*"), REMOVE("/var/cache/ldconfig/aux-cache"),
		REMOVE("/var/cache/debconf/*-old"), REMOVE("/var/lib/dpkg/*-old")),
	  NULL },
	{ "puppet-data-log", "data, keys and logs of Puppet", true,
	  RULES(REMOVE("/var/log/puppet/*"), TREE("/var/lib/puppet/*/*"),
		REMOVE("/var/log/puppetlabs/**/*"), TREE("/opt/puppetlabs/puppet/cache/*/*"),
		TREE("/etc/puppetlabs/puppet/ssl/*/*")),
	  NULL },
	{ "random-seed", "seeds of random numbers", true, NULL, random_seed },
	{ "rh-subscription-manager", "registration at Red Hat", true,
	  RULES(REMOVE("/etc/pki/@(consumer|entitlement)/*"), REMOVE("/var/lib/rhsm/**/*")), NULL },
	{ "rhn-systemid", "registration at the Red Hat Network, Satellite or Spacewalk", true,
	  RULES(REMOVE("/etc/sysconfig/rhn/@(systemid|osad-auth.conf)")), NULL },
	{ "rpm-db", "parts of RPM's database that are of this host, and locks", true,
	  RULES(REMOVE("/var/lib/rpm/__db.*"),
		REMOVE("/usr/lib/sysimage/rpm/__db.*")),
	  NULL },
	{ "samba-db-log", "databases and logs of Samba", true,
	  RULES(REMOVE("/var/log/samba/**/*"), REMOVE("/var/lib/samba/*"),
		REMOVE("/var/lib/samba/*/*"), REMOVE("/var/cache/samba/**/*")),
	  NULL },
	{ "shell-history", "what users typed: .bash_history and the like of other programs", true,
	  RULES(REMOVE("~/.@(bash|ash|sh|zsh|ksh|mksh|mysql|psql|sqlite|python|node_repl|rediscli|"
		       "irb|php|dbshell|octave|lua)_history"),
		REMOVE("~/.@(history|zhistory|histfile|lesshst|viminfo|wget-hsts)"),
		REMOVE("~/.local/share/fish/fish_history"), REMOVE("~/.local/share/nano/*_history"),
		REMOVE("~/.local/state/@(bash|zsh)/history"),
		REMOVE("~/.local/share/nvim/shada/*"), REMOVE("~/.local/state/nvim/shada/*"),
		REMOVE("~/.local/state/lesshst")),
	  NULL },
	{ "smolt-uuid", "the hardware id of Smolt", true,
	  RULES(REMOVE("/etc/sysconfig/hw-uuid"), REMOVE("/etc/smolt/@(uuid|hw-uuid)")), NULL },
	{ "ssh-hostkeys", "SSH host keys, to be made at the next boot: where the system would make "
	  "none, what makes them is installed", true, NULL, host_keys },
	{ "ssh-userdir", "users' .ssh, with keys and who may log in", true, RULES(TREE("~/.ssh")),
	  NULL },
	{ "sssd-db-log", "databases and logs of SSSD", true,
	  RULES(REMOVE("/var/log/sssd/*"), REMOVE("/var/lib/sss/@(db|mc)/*")), NULL },
	{ "systemd-secrets", "the key of systemd's credentials", true,
	  RULES(REMOVE("/var/lib/systemd/credential.secret")), NULL },
	{ "systemd-state", "when timers ran, how bright screens were, which radios were off", true,
	  RULES(REMOVE("/var/lib/systemd/@(timers|backlight|rfkill)/*")), NULL },
	{ "tmp-files", "all in /tmp and /var/tmp", true, RULES(TREE("/tmp/*"), TREE("/var/tmp/*")),
	  NULL },
	{ "udev-hwdb", "the hardware database of /etc, to be compiled at the next boot", true, NULL,
	  hwdb },
	{ "udev-persistent-net", "rules that give names to network cards by their addresses", true,
	  RULES(REMOVE("/etc/udev/rules.d/70-persistent-@(net|cd).rules")), NULL },
	{ "user-account", "people's accounts, and their homes below /home", false, NULL,
	  sysprep_users },
	{ "utmp", "who is logged in", true, RULES(REMOVE("/run/utmp"), REMOVE("/var/run/utmp")),
	  NULL },
	{ "yum-uuid", "the ids that yum and dnf count systems by", true,
	  RULES(REMOVE("/var/lib/yum/uuid"), REMOVE("/var/lib/dnf/repos/*/countme")), NULL },
};

const unsigned int sysprep_n_ops = ARRAY_SIZE(sysprep_ops);
_Static_assert(ARRAY_SIZE(sysprep_ops) <= SYSPREP_OPS_MAX, "a bit and a count for each");

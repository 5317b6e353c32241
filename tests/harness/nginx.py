"""Debian's nginx with a configuration of a run's own: nothing of this machine's is read."""

from pathlib import Path

NGINX = "/usr/sbin/nginx"


def nginx_command(folder: Path) -> list[str]:
    """How to start the one whose configuration lies in this folder; it stays in the foreground."""
    return [*nginx_program(folder), "-g", "daemon off;"]


def nginx_program(folder: Path) -> list[str]:
    """The program with this configuration; `-t` behind it tests that."""
    return [NGINX, "-c", str(folder / "etc/nginx/nginx.conf"), "-e", str(folder / "nginx-error.log")]


def write_nginx_conf(folder: Path, *, more: str = "") -> Path:
    """What Debian's own nginx.conf does with conf.d; gives that folder. `more` stands in the http block."""
    servers = folder / "etc/nginx/conf.d"
    servers.mkdir(parents=True)
    (folder / "var/log/nginx").mkdir(parents=True)
    (folder / "etc/nginx/nginx.conf").write_text(
        f"user www-data;\npid {folder}/nginx-own.pid.txt;\nerror_log {folder}/nginx-error.log;\n"
        f"events {{}}\nhttp {{\n  access_log {folder}/nginx-access.log;\n{more}  include {servers}/*.conf;\n}}\n"
    )
    return servers

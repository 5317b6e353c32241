"""Debian's nginx with a configuration for one test run. It reads no configuration of this machine."""

from pathlib import Path

NGINX = "/usr/sbin/nginx"


def nginx_command(folder: Path) -> list[str]:
    """Returns the command that starts nginx in the foreground, with the configuration in this folder."""
    return [*nginx_program(folder), "-g", "daemon off;"]


def nginx_program(folder: Path) -> list[str]:
    """Returns the nginx command with the configuration in this folder.

    With `-t` appended, it tests the configuration.
    """
    return [NGINX, "-c", str(folder / "etc/nginx/nginx.conf"), "-e", str(folder / "nginx-error.log")]


def write_nginx_conf(folder: Path, *, more: str = "") -> Path:
    """Writes an nginx.conf that includes conf.d like Debian's. Returns the folder conf.d. `more` is added to the http
    block."""
    servers = folder / "etc/nginx/conf.d"
    servers.mkdir(parents=True)
    (folder / "var/log/nginx").mkdir(parents=True)
    (folder / "etc/nginx/nginx.conf").write_text(
        f"user www-data;\npid {folder}/nginx-own.pid.txt;\nerror_log {folder}/nginx-error.log;\n"
        f"events {{}}\nhttp {{\n  access_log {folder}/nginx-access.log;\n{more}  include {servers}/*.conf;\n}}\n"
    )
    return servers

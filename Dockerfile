# tpscope as a container: the versions of constraints.txt, no compiler, no root. Built by `docker-compose build`.
# The Python is the one that constraints.txt was resolved on.
FROM python:3.11.14-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_INPUT=1
WORKDIR /build
RUN python -m venv /opt/tpscope

# What tpscope needs, before its own files: a change of those does not install all of it again. Wheels only: the image has
# no compiler, and a source package would run its author's code here.
COPY pyproject.toml constraints.txt ./
RUN python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*project["dependencies"], *project["optional-dependencies"]["xlsx"], sep="\n")' > needs.txt \
    && /opt/tpscope/bin/python -m pip install --quiet --only-binary :all: --constraint constraints.txt --requirement needs.txt \
    && python -m pip install --quiet --only-binary :all: --root-user-action ignore --constraint constraints.txt setuptools

COPY README.md LICENSE ./
COPY core core
COPY storage storage
COPY ingest ingest
COPY analytics analytics
COPY alerts alerts
COPY render render
COPY dashboards dashboards
COPY tpscope tpscope
RUN python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/tpscope/bin/python -m pip install --quiet --no-deps --no-index /wheels/*.whl \
    && /opt/tpscope/bin/python -m pip check \
    && /opt/tpscope/bin/tpscope --help > /dev/null


FROM python:3.11.14-slim-bookworm

LABEL org.opencontainers.image.title="tpscope" \
      org.opencontainers.image.licenses="Apache-2.0"

# A fixed number, so that volumes and policies can name it.
RUN groupadd --gid 10001 tpscope \
    && useradd --no-log-init --uid 10001 --gid tpscope --home-dir /var/lib/tpscope --create-home --shell /usr/sbin/nologin tpscope \
    && install -d -o root -g root -m 0755 /etc/tpscope

COPY --from=build /opt/tpscope /opt/tpscope

ENV PATH=/opt/tpscope/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/var/lib/tpscope

USER 10001:10001
WORKDIR /var/lib/tpscope
# The embedded store of a container that is started without a configuration; a fresh volume takes over the folder's owner.
VOLUME /var/lib/tpscope
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=5)"]
ENTRYPOINT ["tpscope"]
CMD ["serve", "--config", "/etc/tpscope/tpscope.yaml"]

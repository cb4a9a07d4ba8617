# One image for every process; the command says which: api, worker, scheduler, migrate.

FROM python:3.11-slim-bookworm AS packages
WORKDIR /build
COPY requirements-image.lock ./
# Without pip in it, the environment has only what runs.
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --no-deps --require-hashes \
        --disable-pip-version-check -r requirements-image.lock

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 metacortex \
    && useradd --system --uid 10001 --gid 10001 --no-create-home metacortex
COPY --from=packages /venv /venv
WORKDIR /app
COPY alembic.ini ./
COPY migrations migrations
COPY metacortex metacortex
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    METACORTEX_HOST=0.0.0.0
# The root is read-only later: compiled now, each start is a second shorter.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash metacortex migrations
# A number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["python", "-m", "metacortex"]
CMD ["api"]

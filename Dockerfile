# One image for every process; the command says which: api, worker, scheduler, migrate.

FROM python:3.11-slim-bookworm AS packages
COPY requirements-image.lock .
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes \
        -r requirements-image.lock

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home metacortex
WORKDIR /app
COPY --from=packages /venv /venv
COPY . .
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    METACORTEX_HOST=0.0.0.0
USER metacortex
EXPOSE 8000
ENTRYPOINT ["python", "-m", "metacortex"]
CMD ["api"]

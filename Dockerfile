# Images of the operator and of the emulator, from what `make images` lays out in dist/image. Nothing is run here, so that
# an image for another architecture needs no emulation. Any image with Node.js 24 on a glibc system will do as the base.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS operator
COPY dist/image/operator/ /
ENV NODE_ENV=production
# A number, so that runAsNonRoot can be checked. Nothing is written: the root file system may be read-only.
USER 65532:65532
EXPOSE 8080 8443
# Most of what the operator allocates is short-lived; a small nursery keeps its memory at what it needs.
ENTRYPOINT ["node", "--max-semi-space-size=2", "/lakebranch.mjs"]
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="lakebranch" \
      org.opencontainers.image.description="Kubernetes operator for Databricks Lakebase branches" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

FROM ${NODE_IMAGE} AS emulator
ARG TARGETARCH
COPY dist/image/emulator/${TARGETARCH}/ /
ENV NODE_ENV=production LAKEBRANCH_POSTGRES_BIN=/opt/postgres/bin LAKEBRANCH_EMULATOR_STATE_DIR=/tmp/lakebranch-emulator
USER 65532:65532
EXPOSE 7080 7443 5432
ENTRYPOINT ["node", "/lakebranch-emulator.mjs"]
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="lakebranch-emulator" \
      org.opencontainers.image.description="A local Databricks Lakebase on real PostgreSQL, for tests and try-outs" \
      org.opencontainers.image.licenses="Apache-2.0 AND PostgreSQL" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

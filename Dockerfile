# The server as an image: a static user, one volume for what must be remembered, policies mounted at /policies.
#
#   docker build -t procura .
#   docker run -p 3592:3592 -v ./policies:/policies:ro -v procura-data:/var/lib/procura \
#     -v ./keys.yaml:/etc/procura/keys.yaml:ro -e PROCURA_CALLERS__KEYS__FILE=/etc/procura/keys.yaml procura
#
# `procura key create` makes a file that only its owner can read: let the user 65532 read it too, it holds hashes only.
#
# For a trial, `-e PROCURA_CALLERS__ANONYMOUS=allow` instead lets whoever reaches the port ask for decisions.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin procura \
    && install -D target/release/procura /image/usr/local/bin/procura \
    && mkdir -p /image/var/lib/procura /image/policies

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build --chown=65532:65532 /image /
USER 65532:65532
ENV PROCURA_SERVER__DATA_DIR=/var/lib/procura \
    PROCURA_STORAGE__DISK__DIRECTORY=/policies
VOLUME /var/lib/procura
EXPOSE 3592
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["/usr/local/bin/procura", "health"]
ENTRYPOINT ["/usr/local/bin/procura"]
# A container is reached over its network only, so the server starts with callers that can authenticate, or with leave to
# answer everybody.
CMD ["serve", "--listen", "0.0.0.0:3592"]

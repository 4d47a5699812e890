"""LitServe with its batching at its best here: none, since a batch waits."""

import sys

import litserve
from answering import answer, load


class Api(litserve.LitAPI):
    def setup(self, device):
        self.session = load()

    def decode_request(self, request):
        return request

    def predict(self, document):
        return answer(self.session, document)

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Api(api_path="/infer"), accelerator="cpu", workers_per_device=1)
    server.run(port=int(sys.argv[1]), num_api_servers=1, log_level="error", generate_client_file=False)

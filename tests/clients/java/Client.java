import ai.mass.ApiClient;
import ai.mass.ApiException;
import ai.mass.api.DatasetsApi;
import ai.mass.api.EndpointsApi;
import ai.mass.api.InferenceApi;
import ai.mass.model.Dataset;
import ai.mass.model.DatasetCreate;
import ai.mass.model.InferenceRequest;
import ai.mass.model.InferenceTensor;
import ai.mass.model.Problem;
import ai.mass.model.TensorSpec;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** {@code java Client URL KEY MODEL}: asks by classes that are made from the OpenAPI document, and prints what it got. */
public final class Client {
  private static final Map<String, Object> VALUES = Map.of("FP32", 1, "FP64", 0, "BYTES", "x");

  public static void main(String[] arguments) throws Exception {
    String model = arguments[2];
    ApiClient client = new ApiClient();
    client.updateBaseUri(arguments[0]);
    client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + arguments[1]));
    DatasetsApi datasets = new DatasetsApi(client);
    var made = datasets.createDatasetWithHttpInfo(new DatasetCreate().name("generated-classes"), null);
    var listed = datasets.listDatasets(null, null);
    Problem problem = problemOf(client, () -> datasets.getDataset("nobody"));
    var endpoint = new EndpointsApi(client).getEndpoint(model);
    var inputs = endpoint.getSignature().getInputs().stream().map(Client::toTensor).toList();
    var answered = new InferenceApi(client).infer(model, new InferenceRequest().inputs(inputs), null, null);
    var outputs =
        answered.getOutputs().stream()
            .collect(Collectors.toMap(InferenceTensor::getName, InferenceTensor::getData));
    var told =
        Map.of(
            "created", List.of(made.getStatusCode(), made.getData().getName()),
            "listed", listed.getItems().stream().map(Dataset::getName).toList(),
            "problem", List.of(problem.getStatus(), problem.getCode()),
            "outputs", outputs);
    System.out.println(client.getObjectMapper().writeValueAsString(told));
  }

  private static InferenceTensor toTensor(TensorSpec spec) {
    String datatype = spec.getDatatype().getValue();
    List<Object> data = List.of(VALUES.get(datatype));
    return new InferenceTensor().name(spec.getName()).datatype(datatype).shape(List.of(1, 1)).data(data);
  }

  private static Problem problemOf(ApiClient client, Call call) throws Exception {
    try {
      call.run();
    } catch (ApiException error) {
      return client.getObjectMapper().readValue(error.getResponseBody(), Problem.class);
    }
    throw new IllegalStateException("it was answered");
  }

  private interface Call {
    void run() throws ApiException;
  }
}

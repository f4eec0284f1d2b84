// Prints records as the released Java serializer of AWS Glue Schema Registry makes them, as JSON. Run by hand: see ../README.md.
import com.amazonaws.services.schemaregistry.common.configs.GlueSchemaRegistryConfiguration;
import com.amazonaws.services.schemaregistry.deserializers.protobuf.ProtobufSchemaParser;
import com.amazonaws.services.schemaregistry.serializers.GlueSchemaRegistrySerializationFacade;
import com.amazonaws.services.schemaregistry.serializers.json.JsonDataWithSchema;
import com.amazonaws.services.schemaregistry.utils.AWSSchemaRegistryConstants;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.services.glue.model.DataFormat;

public class GlueVectors {
  static final UUID AVRO = UUID.fromString("b7b4a7f0-9c96-4e4a-a687-fb5de9ef0c63");
  static final UUID JSON = UUID.fromString("0c9d2b6e-7a35-4c1d-9d0f-5f1c8e2a4b17");
  static final UUID PROTOBUF = UUID.fromString("f8b2c4d6-1e3f-4a5b-8c7d-9e0f1a2b3c4d");
  static final ObjectMapper MAPPER = new ObjectMapper();
  static final ArrayNode VECTORS = MAPPER.createArrayNode();

  static final String AVRO_SCHEMA = "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"shop\",\"fields\":["
    + "{\"name\":\"orderId\",\"type\":\"string\"},{\"name\":\"cents\",\"type\":\"long\"},"
    + "{\"name\":\"note\",\"type\":[\"null\",\"string\"],\"default\":null},"
    + "{\"name\":\"state\",\"type\":{\"type\":\"enum\",\"name\":\"State\",\"symbols\":[\"OPEN\",\"PAID\"]}},"
    + "{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":\"string\"}},"
    + "{\"name\":\"weights\",\"type\":{\"type\":\"map\",\"values\":\"double\"}},"
    + "{\"name\":\"digest\",\"type\":\"bytes\"}]}";

  static final String JSON_SCHEMA = "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"type\":\"object\","
    + "\"properties\":{\"orderId\":{\"type\":\"string\"},\"cents\":{\"type\":\"integer\"}},\"required\":[\"orderId\"]}";

  static final String PROTO = "syntax = \"proto3\";\npackage shop;\n"
    + "message Zebra { string name = 1; }\n"
    + "message Order {\n  message Line { string sku = 1; int64 cents = 2; message Gift { string to = 1; } }\n"
    + "  enum State { OPEN = 0; PAID = 1; }\n"
    + "  string order_id = 1; int64 cents = 2; repeated Line lines = 3; State state = 4;\n"
    + "  map<string, double> item_weights = 5; bytes digest = 6;\n"
    + "  oneof paid_by { string card = 7; string voucher = 8; }\n}\n"
    + "message Address { string city = 1; }\n";

  static GlueSchemaRegistrySerializationFacade facade(boolean compressed) {
    Map<String, Object> configs = new HashMap<>();
    configs.put(AWSSchemaRegistryConstants.AWS_REGION, "us-east-1");
    if (compressed) configs.put(AWSSchemaRegistryConstants.COMPRESSION_TYPE, AWSSchemaRegistryConstants.COMPRESSION.ZLIB.name());
    return GlueSchemaRegistrySerializationFacade.builder()
      .credentialProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("none", "none")))
      .glueSchemaRegistryConfiguration(new GlueSchemaRegistryConfiguration(configs))
      .build();
  }

  static void add(String name, DataFormat format, Object data, UUID id) {
    for (boolean compressed : new boolean[] {false, true}) {
      GlueSchemaRegistrySerializationFacade facade = facade(compressed);
      ObjectNode vector = VECTORS.addObject();
      vector.put("name", name);
      vector.put("format", format.name());
      vector.put("schemaVersionId", id.toString());
      vector.put("definition", facade.getSchemaDefinition(format, data));
      vector.put("compressed", compressed);
      vector.put("record", Base64.getEncoder().encodeToString(facade.serialize(format, data, id)));
    }
  }

  static DynamicMessage message(Descriptor type, Map<String, Object> fields) {
    DynamicMessage.Builder builder = DynamicMessage.newBuilder(type);
    fields.forEach((name, value) -> builder.setField(type.findFieldByName(name), value));
    return builder.build();
  }

  public static void main(String[] args) throws Exception {
    Schema schema = new Schema.Parser().parse(AVRO_SCHEMA);
    GenericRecord order = new GenericData.Record(schema);
    order.put("orderId", "o-1");
    order.put("cents", 9007199254740990L);
    order.put("note", "ring twice");
    order.put("state", new GenericData.EnumSymbol(schema.getField("state").schema(), "PAID"));
    order.put("tags", List.of("new", "gift"));
    order.put("weights", Map.of("box", 1.5));
    order.put("digest", ByteBuffer.wrap(new byte[] {0, -1, 16}));
    add("an order", DataFormat.AVRO, order, AVRO);

    add("an order", DataFormat.JSON,
      JsonDataWithSchema.builder(JSON_SCHEMA, "{\"orderId\":\"o-1\",\"cents\":1250}").build(), JSON);

    FileDescriptor file = ProtobufSchemaParser.parse(PROTO, "shop.proto");
    Descriptor type = file.findMessageTypeByName("Order");
    Descriptor line = type.findNestedTypeByName("Line");
    FieldDescriptor weights = type.findFieldByName("item_weights");
    Descriptor entry = weights.getMessageType();
    EnumValueDescriptor paid = type.findEnumTypeByName("State").findValueByName("PAID");
    DynamicMessage.Builder builder = message(type, Map.of(
      "order_id", "o-1", "cents", 9007199254740991L, "state", paid, "card", "visa",
      "digest", ByteString.copyFrom(new byte[] {0, -1, 16}))).toBuilder();
    builder.addRepeatedField(type.findFieldByName("lines"), message(line, Map.of("sku", "s-1", "cents", 700L)));
    builder.addRepeatedField(weights, message(entry, Map.of("key", "box", "value", 1.5)));
    add("an order", DataFormat.PROTOBUF, builder.build(), PROTOBUF);
    add("a line", DataFormat.PROTOBUF, message(line, Map.of("sku", "s-2", "cents", -1L)), PROTOBUF);
    add("a gift", DataFormat.PROTOBUF, message(line.findNestedTypeByName("Gift"), Map.of("to", "Ada")), PROTOBUF);
    add("a zebra", DataFormat.PROTOBUF, message(file.findMessageTypeByName("Zebra"), Map.of("name", "Zoe")), PROTOBUF);
    add("an address", DataFormat.PROTOBUF, message(file.findMessageTypeByName("Address"), Map.of("city", "Ulm")), PROTOBUF);
    System.out.println(MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(VECTORS));
  }
}

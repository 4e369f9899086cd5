import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

/**
 * Checks the tokens of MSK's IAM authentication as MSK does: base64url of an address for the action
 * kafka-cluster:Connect that is signed with AWS Signature Version 4, and not older than it says.
 *
 * <p>System properties: msk.accessKeyId and msk.secretAccessKey, the one credential that is known; msk.tokenSeconds,
 * after which a token is too old whatever it says, for MSK's own 15 minutes are too long for a test.
 *
 * <p>The broker ends a connection of which the token has run out, unless the client has brought a new one.
 */
public final class MskTokenValidator implements AuthenticateCallbackHandler {
  private static final String ACCESS_KEY = System.getProperty("msk.accessKeyId");
  private static final String SECRET_KEY = System.getProperty("msk.secretAccessKey");
  private static final long MAX_SECONDS = Long.getLong("msk.tokenSeconds", 900);
  private static final DateTimeFormatter DATE = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'");

  @Override
  public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {}

  @Override
  public void close() {}

  @Override
  public void handle(Callback[] callbacks) throws UnsupportedCallbackException {
    for (Callback callback : callbacks) {
      if (!(callback instanceof OAuthBearerValidatorCallback validation)) {
        throw new UnsupportedCallbackException(callback);
      }
      try {
        OAuthBearerToken token = check(validation.tokenValue());
        System.out.println("token accepted, valid until " + Instant.ofEpochMilli(token.lifetimeMs()));
        validation.token(token);
      } catch (Exception error) {
        System.out.println("token refused: " + error.getMessage());
        validation.error("invalid_token", null, null);
      }
    }
  }

  private static OAuthBearerToken check(String token) throws Exception {
    URI uri = URI.create(new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8));
    TreeMap<String, String> query = parse(uri.getRawQuery());
    String signature = query.remove("X-Amz-Signature");
    // Signers add it when they have signed.
    query.remove("User-Agent");
    String[] scope = query.getOrDefault("X-Amz-Credential", "").split("/");
    require(scope.length == 5, "the credential's scope has " + scope.length + " parts");
    require(scope[0].equals(ACCESS_KEY), "unknown access key");
    require(scope[3].equals("kafka-cluster") && scope[4].equals("aws4_request"), "not for Kafka");
    require(uri.getScheme().equals("https"), "not https");
    require(uri.getHost().equals("kafka." + scope[2] + ".amazonaws.com"), "host of another region");
    require("kafka-cluster:Connect".equals(query.get("Action")), "another action");
    require("AWS4-HMAC-SHA256".equals(query.get("X-Amz-Algorithm")), "another algorithm");
    require("host".equals(query.get("X-Amz-SignedHeaders")), "other headers are signed");
    require(signatureOf(uri.getHost(), query, scope).equals(signature), "wrong signature");

    long start = LocalDateTime.parse(query.get("X-Amz-Date"), DATE).toEpochSecond(ZoneOffset.UTC);
    long seconds = Math.min(Long.parseLong(query.get("X-Amz-Expires")), MAX_SECONDS);
    Token result = new Token(token, scope[0], start * 1000, (start + seconds) * 1000);
    require(System.currentTimeMillis() < result.lifetimeMs(), "too old");
    return result;
  }

  private static String signatureOf(String host, Map<String, String> query, String[] scope) throws Exception {
    String canonicalQuery = query.entrySet().stream()
        .map(pair -> encode(pair.getKey()) + "=" + encode(pair.getValue()))
        .collect(Collectors.joining("&"));
    String request = String.join("\n", "GET", "/", canonicalQuery, "host:" + host, "", "host", hash(""));
    String day = String.join("/", scope[1], scope[2], scope[3], scope[4]);
    String text = String.join("\n", "AWS4-HMAC-SHA256", query.get("X-Amz-Date"), day, hash(request));
    byte[] key = ("AWS4" + SECRET_KEY).getBytes(StandardCharsets.UTF_8);
    for (String part : day.split("/")) {
      key = sign(key, part);
    }
    return HexFormat.of().formatHex(sign(key, text));
  }

  private static TreeMap<String, String> parse(String query) {
    TreeMap<String, String> result = new TreeMap<>();
    for (String pair : query.split("&")) {
      String[] parts = pair.split("=", 2);
      result.put(
          URLDecoder.decode(parts[0], StandardCharsets.UTF_8),
          URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
    }
    return result;
  }

  private static String encode(String text) {
    String encoded = URLEncoder.encode(text, StandardCharsets.UTF_8);
    return encoded.replace("+", "%20").replace("*", "%2A").replace("%7E", "~");
  }

  private static String hash(String text) throws Exception {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
  }

  private static byte[] sign(byte[] key, String text) throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new IllegalArgumentException(otherwise);
    }
  }

  private record Token(String value, String principalName, Long startTimeMs, long lifetimeMs)
      implements OAuthBearerToken {
    @Override
    public Set<String> scope() {
      return Set.of();
    }
  }
}

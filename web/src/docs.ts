// The API's documentation, drawn by Swagger UI from the server's OpenAPI document.

import "swagger-ui-dist/swagger-ui.css";
import SwaggerUIBundle from "swagger-ui-dist/swagger-ui-es-bundle.js";

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  // Otherwise it asks a validator in the internet.
  validatorUrl: null,
});

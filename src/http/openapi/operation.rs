//! One operation of the API: a method of a path, what it takes and what it answers.

use serde_json::{Value, json};

use super::refusals::{self, Shape};
use super::schema::set;

/// What the document says about one operation.
pub(super) struct Operation {
    /// The path, with its parameters in braces.
    pub(super) path: &'static str,
    /// The method, in lower case.
    pub(super) method: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: Option<&'static str>,
    shape: Shape,
    is_open: bool,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Vec<(u16, Value)>,
    refusals: Vec<u16>,
}

impl Operation {
    /// `GET path`, whose refusals are problems.
    pub(super) fn get(path: &'static str, id: &'static str, tag: &'static str) -> Self {
        Self::new("get", path, id, tag)
    }

    /// `POST path`, whose refusals are problems.
    pub(super) fn post(path: &'static str, id: &'static str, tag: &'static str) -> Self {
        Self::new("post", path, id, tag)
    }

    /// `PUT path`, whose refusals are problems.
    pub(super) fn put(path: &'static str, id: &'static str, tag: &'static str) -> Self {
        Self::new("put", path, id, tag)
    }

    /// `DELETE path`, whose refusals are problems.
    pub(super) fn delete(path: &'static str, id: &'static str, tag: &'static str) -> Self {
        Self::new("delete", path, id, tag)
    }

    fn new(method: &'static str, path: &'static str, id: &'static str, tag: &'static str) -> Self {
        Self {
            path,
            method,
            id,
            tag,
            summary: "",
            description: None,
            shape: Shape::Problem,
            is_open: false,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// What it does, in a few words.
    pub(super) fn summary(self, summary: &'static str) -> Self {
        Self { summary, ..self }
    }

    /// What else there is to know.
    pub(super) fn description(self, description: &'static str) -> Self {
        Self { description: Some(description), ..self }
    }

    /// The shape of its refusals.
    pub(super) fn shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// Answers whoever asks.
    pub(super) fn open(self) -> Self {
        Self { is_open: true, ..self }
    }

    /// A parameter in the query, with an example of it.
    pub(super) fn query(self, name: &str, description: &str, schema: &Value, example: Option<Value>) -> Self {
        let mut parameter =
            json!({"name": name, "in": "query", "description": description, "schema": schema});
        if let Some(example) = example {
            set(&mut parameter, "example", example);
        }
        self.parameter(parameter)
    }

    /// A parameter in the path, with an example of it.
    pub(super) fn path(self, name: &str, description: &str, schema: &Value, example: &str) -> Self {
        let (is_in, required) = ("path", true);
        self.parameter(json!({
            "name": name, "in": is_in, "required": required, "description": description, "schema": schema,
            "example": example,
        }))
    }

    /// Any parameter.
    pub(super) fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// The JSON body it takes, by the name of its schema, with an example.
    pub(super) fn body(self, schema: &str, is_required: bool, example: &Value) -> Self {
        let schema = super::schema::of(schema);
        let content = json!({"application/json": {"schema": schema, "example": example}});
        Self { body: Some(json!({"required": is_required, "content": content})), ..self }
    }

    /// The body it takes that is no JSON, with an example.
    pub(super) fn raw_body(self, media_type: &str, example: &str) -> Self {
        let mut content = json!({});
        set(&mut content, media_type, json!({"schema": {"type": "string"}, "example": example}));
        Self { body: Some(json!({"required": true, "content": content})), ..self }
    }

    /// What it answers with `status`: JSON of the schema of this name.
    pub(super) fn answers(self, status: u16, description: &str, schema: &str) -> Self {
        let content = json!({"application/json": {"schema": super::schema::of(schema)}});
        self.answer(status, json!({"description": description, "content": content}))
    }

    /// What it answers with `status`, in full.
    pub(super) fn answer(mut self, status: u16, answer: Value) -> Self {
        self.answers.push((status, answer));
        self
    }

    /// The answers so far also have these headers, by the names of their components.
    pub(super) fn headers(mut self, headers: &[&str]) -> Self {
        for (_, answer) in &mut self.answers {
            set(answer, "headers", refusals::headers(headers));
        }
        self
    }

    /// The answers so far lead to other operations.
    pub(super) fn links(mut self, links: &Value) -> Self {
        for (_, answer) in &mut self.answers {
            set(answer, "links", links.clone());
        }
        self
    }

    /// The statuses with which it refuses, besides those that every operation has.
    pub(super) fn refuses(self, statuses: &[u16]) -> Self {
        Self { refusals: statuses.to_vec(), ..self }
    }

    /// The operation as the document has it.
    pub(super) fn render(self) -> Value {
        let Self { shape, .. } = self;
        let mut answers = shape.responses(&self.refusals, self.is_open);
        for (status, mut answer) in self.answers {
            let refuses = answers.contains_key(&status.to_string());
            if let Some(content) = answer.get_mut("content").filter(|_| refuses) {
                let (media_type, refusal) = shape.content();
                set(content, media_type, refusal);
            }
            answers.insert(status.to_string(), answer);
        }
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "parameters": self.parameters,
            "responses": answers,
        });
        if let Some(description) = self.description {
            set(&mut operation, "description", json!(description));
        }
        if let Some(body) = self.body {
            set(&mut operation, "requestBody", body);
        }
        if self.is_open {
            set(&mut operation, "security", json!([{}]));
        }
        operation
    }
}

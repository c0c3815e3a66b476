variable "access_key" {
  type    = string
  default = "AKIAQUACKQUACKQUACK7"
}
variable "secret_key" {
  type    = string
  default = "Quack/quack/quack/quack/quack/quack/2026"
}
